import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { basename, join } from "node:path";
import { serverUser } from "@soar-tooling/test-bench";
import { NotToBeHad, openDebianPackages } from "./debian-packages.ts";
import { binDirBelow, unpackedRoot } from "./unpacked-installations.ts";

/** Sets the loader and the search path of a program. */
const PATCHELF = "patchelf";

/** What servers and clients load, without what dependencies of packages bring in beside that. */
const LIBRARY = /^(?:lib|zlib1g$)/;
const NO_LIBRARY = /^lib(?:perl5|.*-perl$|systemd-shared|debian-installer|newt|slang|c-l10n|c-bin|pam-)/;

/**
 * Unpacks the newest packages of a major that Debian has below `unpackedRoot()`, with all libraries that they need, and
 * makes its programs run from there, beside whatever this machine has. Does nothing when that was done, and returns the
 * version. Throws `NotToBeHad` where Debian or this major in it is out of reach.
 */
export function unpackPostgres(major: number): string {
  const root = unpackedRoot();
  mkdirSync(root, { recursive: true, mode: 0o755 });
  const own = mkdtempSync(join(root, ".new-"));
  try {
    const programs = [`postgresql-${major}`, `postgresql-client-${major}`];
    const packages = openDebianPackages(join(own, "apt"), [...programs, "libpq5"]);
    const version = packages.candidate(`postgresql-${major}`);
    if (version === undefined) throw new NotToBeHad(`Debian has no postgresql-${major}`);
    const place = join(root, version);
    if (!existsSync(place)) {
      const libraries = packages
        .closure([...programs, PATCHELF])
        .filter((name) => LIBRARY.test(name) && !NO_LIBRARY.test(name));
      const unpacked = unpackAll([...programs, PATCHELF, ...libraries], join(own, "tree"), packages.download);
      makeProgramsRun(unpacked, { place, major });
      renameSync(unpacked, place);
    }
    requireRuns(binDirBelow(place, major));
    makeCurrent(version, major);
    return version;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

function unpackAll(
  names: readonly string[],
  tree: string,
  download: (names: readonly string[], directory: string) => void,
): string {
  const archives = `${tree}-archives`;
  mkdirSync(tree, { mode: 0o755 });
  mkdirSync(archives);
  download(names, archives);
  for (const archive of readdirSync(archives)) run("dpkg-deb", ["-x", join(archives, archive), tree]);
  return tree;
}

/**
 * They are built for a newer C library than this machine may have. Each is told where its own loader and libraries will
 * be, so that it is started by its name like any other program: pg_ctl finds postgres beside it, and a server finds its
 * files by its place. The path is of the kind that counts for libraries that are loaded later, too (`DT_RPATH`).
 */
function makeProgramsRun(tree: string, { place, major }: { readonly place: string; readonly major: number }): void {
  const libraries = libraryDirectory(tree);
  const loader = readdirSync(join(tree, libraries)).find((name) => /^ld-linux.*\.so\.\d+$/.test(name));
  if (loader === undefined) throw new Error(`unable to find the loader in '${libraries}'`);
  const here = join(tree, libraries);
  const patchelf = [join(here, loader), "--library-path", here, join(tree, "usr/bin", PATCHELF)] as const;
  const there = join(place, libraries);
  const binDir = binDirBelow(tree, major);
  for (const name of readdirSync(binDir)) {
    const [program, ...args] = patchelf;
    const settings = ["--set-interpreter", join(there, loader), "--force-rpath", "--set-rpath", there];
    run(program, [...args, ...settings, join(binDir, name)]);
  }
}

/** For example `usr/lib/x86_64-linux-gnu`. */
function libraryDirectory(tree: string): string {
  const found = readdirSync(join(tree, "usr/lib")).find((name) => name.endsWith("-linux-gnu"));
  if (found === undefined) throw new Error("unable to find the libraries in what was unpacked");
  return join("usr/lib", found);
}

/** As the user of the servers, who is another one than root. */
function requireRuns(binDir: string): void {
  const { uid, gid } = serverUser();
  for (const name of ["postgres", "initdb", "pg_ctl", "psql", "pg_verifybackup"]) {
    const { status, stderr } = spawnSync(join(binDir, name), ["--version"], { uid, gid, cwd: "/", encoding: "utf8" });
    if (status !== 0) throw new Error(`unable to run '${join(binDir, name)}': ${stderr}`);
  }
}

/** A link by the major, which is set anew at once, and away with what it led to before. */
function makeCurrent(version: string, major: number): void {
  const link = join(unpackedRoot(), String(major));
  const before = existsSync(link) ? basename(readlinkSync(link)) : undefined;
  if (before === version) return;
  rmSync(`${link}.new`, { force: true });
  symlinkSync(version, `${link}.new`);
  renameSync(`${link}.new`, link);
  if (before !== undefined) rmSync(join(unpackedRoot(), before), { recursive: true, force: true });
}

function run(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`'${program} ${args.join(" ")}' failed:\n${stderr}`);
}
