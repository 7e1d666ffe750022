import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What is asked for cannot be had here and now, through no fault of this repository. */
export class NotToBeHad extends Error {
  override readonly name = "NotToBeHad";
}

/** Whoever made this machine's Debian signs these suites with the same keys. */
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** A release candidate comes to experimental first. */
const SUITES = ["sid", "experimental"] as const;

const DEPENDS = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((kind) => `--no-${kind}`);

/** Debian's packages of suites that this machine does not install from: apt with lists and a cache of its own. */
export interface DebianPackages {
  /** The version that would be taken: the newest of all suites. */
  candidate(name: string): string | undefined;
  /** The packages themselves, and everything that they depend on. */
  closure(names: readonly string[]): string[];
  download(names: readonly string[], directory: string): void;
}

/**
 * Fetches the lists of packages into `directory`. `ahead` are taken from experimental where that has a newer version.
 * Throws `NotToBeHad` where there is no apt, no Debian among its sources, or no way to reach it.
 */
export function openDebianPackages(directory: string, ahead: readonly string[]): DebianPackages {
  const missing = ["apt-get", "apt-cache", "dpkg-deb"].find((name) => !existsSync(`/usr/bin/${name}`));
  if (missing !== undefined) throw new NotToBeHad(`there is no ${missing}: this is no Debian`);
  if (!existsSync(KEYRING)) throw new NotToBeHad(`there is no ${KEYRING} (Debian: package debian-archive-keyring)`);
  const options = writeConfiguration(directory, ahead);
  const apt = (program: string, args: readonly string[], cwd = "/"): string => {
    const { status, stdout, stderr } = spawnSync(program, [...options, ...args], { encoding: "utf8", cwd });
    if (status !== 0) throw new NotToBeHad(`${program} ${args[0]} failed:\n${stderr}`);
    return stdout;
  };
  // Without this, a suite of which only old lists could be had counts as fetched.
  apt("apt-get", ["update", "--error-on=any"]);
  return {
    candidate(name) {
      const [, version] = /^ +Candidate: (\S+)$/m.exec(apt("apt-cache", ["policy", name])) ?? [];
      return version === "(none)" ? undefined : version;
    },
    closure: (names) =>
      apt("apt-cache", ["depends", "--recurse", ...DEPENDS, ...names])
        .split("\n")
        .filter((line) => /^[a-z0-9]/.test(line)),
    download: (names, to) => void apt("apt-get", ["download", ...names], to),
  };
}

function writeConfiguration(directory: string, ahead: readonly string[]): string[] {
  for (const name of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(directory, name), { recursive: true });
  const uri = debianMirror();
  const sources = SUITES.map((suite) => `deb [signed-by=${KEYRING}] ${uri} ${suite} main\n`);
  writeFileSync(join(directory, "sources.list"), sources.join(""));
  // Equal to what sid has, so that of both the newer version counts.
  const pin = `Package: ${ahead.join(" ")}\nPin: release a=experimental\nPin-Priority: 500\n`;
  writeFileSync(join(directory, "preferences"), pin);
  writeFileSync(join(directory, "status"), "");
  const settings = {
    "Dir::Etc::SourceList": join(directory, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::Etc::Preferences": join(directory, "preferences"),
    "Dir::Etc::PreferencesParts": "/dev/null",
    "Dir::State::Lists": join(directory, "lists"),
    "Dir::State::Status": join(directory, "status"),
    "Dir::Cache": join(directory, "cache"),
    // A mirror may stand still: the signature is what counts, and each package's digest is in what it covers.
    "Acquire::Check-Valid-Until": "false",
    "Acquire::Languages": "none",
    "APT::Sandbox::User": "root",
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

/** Where this machine has its own packages from. */
function debianMirror(): string {
  const { stdout } = spawnSync("apt-get", ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], {
    encoding: "utf8",
  });
  const found = stdout.split("\n").find((uri) => /\/debian\/?$/.test(uri));
  if (found === undefined) throw new NotToBeHad("none of apt's sources is Debian's");
  return found;
}
