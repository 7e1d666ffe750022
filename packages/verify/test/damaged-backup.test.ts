import { formatRecord, type BackupRecord } from "@soar/repository";
import { readObject, type ObjectStore } from "@soar/storage";
import type { Finding } from "@soar/verify";
import {
  putSampleBackup as putBackup,
  replaceObject as replace,
  SAMPLE_LABEL as LABEL,
  SAMPLE_TABLESPACE as TABLESPACE,
} from "@soar-tooling/sample-repository";
import { describe, expect, test } from "vitest";
import { error, flip, FULL, QUICK, useSampleRepository, warning } from "./sample-repository.fixture.ts";

const { find, repository, verify } = useSampleRepository();

describe("every object of a backup", () => {
  const names = [
    "backup.tar.gz",
    `${TABLESPACE}.tar.gz`,
    "backup_label",
    "index.zst",
    "backup_manifest",
    "server-config.tar.gz",
  ];
  const damagedKind = (name: string): Finding["kind"] => (name === "index.zst" ? "table-damaged" : "object-damaged");

  test.each(names)("%s: a flipped bit is found wherever it is", async (name) => {
    const key = `base/${LABEL}/${name}`;
    const depth = name.includes(".tar.gz") && !name.startsWith("server") ? FULL : QUICK;
    const { length } = await readObject(repository.store, key);
    for (let at = 0; at < length; at += Math.max(1, Math.floor(length / 16))) {
      await replace(repository.store, key, flip(at));
      expect(await find({ depth }), `byte ${at} of ${length}`).toContainEqual(error(damagedKind(name), key));
      await replace(repository.store, key, flip(at));
    }
    expect(await find()).toEqual([]);
  });

  test.each(names)("%s: missing, cut short, longer and empty are found by a look at the listing", async (name) => {
    const key = `base/${LABEL}/${name}`;
    for (const change of [
      (bytes: Buffer) => bytes.subarray(1),
      (bytes: Buffer) => Buffer.concat([bytes, Buffer.of(0)]),
      () => Buffer.alloc(0),
    ]) {
      const saved = await readObject(repository.store, key);
      await replace(repository.store, key, change);
      expect(await find({ depth: QUICK })).toContainEqual(error("object-wrong-size", key));
      await replace(repository.store, key, () => saved);
    }
    await repository.store.remove([key]);
    expect(await find({ depth: QUICK })).toEqual([error("object-missing", key)]);
    expect(await find()).toEqual([error("object-missing", key)]);
    expect((await verify({ depth: FULL })).backups).toMatchObject([{ label: LABEL, read: "part" }]);
  });

  test("two that were swapped are found", async () => {
    const [one, other] = [`base/${LABEL}/backup.tar.gz`, `base/${LABEL}/${TABLESPACE}.tar.gz`];
    const bytes = await Promise.all([one, other].map((key) => readObject(repository.store, key)));
    await replace(repository.store, one, () => bytes[1] ?? Buffer.of());
    await replace(repository.store, other, () => bytes[0] ?? Buffer.of());
    for (const depth of [QUICK, FULL])
      expect(await find({ depth })).toEqual([error("object-wrong-size", other), error("object-wrong-size", one)]);
  });

  test("damage says which bytes, and what they hold", async () => {
    await replace(repository.store, `base/${LABEL}/backup.tar.gz`, (bytes) => bytes.fill(0, 3000, 3100));
    const { findings } = await verify();
    expect(findings).toMatchObject([
      { what: expect.stringMatching(/^bytes \d+ to \d+ are not what was recorded, which hold .*base\/5\/2619: /) },
    ]);
  });

  test.each(["backup_label", "backup_manifest"])(
    "a %s that is as large as its record claims, and larger than any, is damage, and is not read",
    async (name) => {
      const size = 6 * 1024 ** 3;
      const key = `base/${LABEL}/${name}`;
      await replace(repository.store, `base/${LABEL}/backup.json`, (bytes) => {
        const { digest: _, ...record } = JSON.parse(bytes.toString()) as BackupRecord & { digest: string };
        const objects = record.objects.map((one) => (one.name === name ? { ...one, size } : one));
        return formatRecord({ ...record, objects });
      });
      const large: ObjectStore = {
        ...repository.store,
        async *list(prefix, options) {
          for await (const object of repository.store.list(prefix, options))
            yield object.key === key ? { ...object, size } : object;
        },
        get: async (asked, options) => {
          if (asked === key) throw new Error("it was read");
          return await repository.store.get(asked, options);
        },
      };
      const { findings } = await verify({ depth: QUICK }, large);
      expect(findings.map(({ kind, where }) => [kind, where])).toContainEqual(["object-damaged", key]);
    },
  );

  test("one that nobody recorded is told, without alarm; one outside of every backup is an error", async () => {
    await repository.store.put(`base/${LABEL}/notes.txt`, Buffer.from("hello"));
    await repository.store.put("base/notes.txt", Buffer.from("hello"));
    await repository.store.put("wal/notes", Buffer.from("hello"));
    await repository.store.put("tail/notes", Buffer.from("hello"));
    await repository.store.put("notes.txt", Buffer.from("hello"));
    const strays = ["base/notes.txt", "tail/notes", "wal/notes"].map((key) => error("object-stray", key));
    expect(await find({ depth: QUICK })).toEqual([
      ...strays,
      warning("object-stray", `base/${LABEL}/notes.txt`),
      warning("object-stray", "notes.txt"),
    ]);
  });

  test("one that disappears between the listing and the reading is found", async () => {
    const key = `base/${LABEL}/backup_label`;
    const vanishing: ObjectStore = {
      ...repository.store,
      get: async (asked, options) => (
        asked === key && (await repository.store.remove([key])),
        repository.store.get(asked, options)
      ),
    };
    const { findings } = await verify({ depth: QUICK }, vanishing);
    expect(findings.map(({ kind, where }) => [kind, where])).toEqual([["object-missing", key]]);
  });
});

describe("the record of a backup", () => {
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ["no JSON", () => Buffer.from("{")],
    ["cut short", (bytes) => bytes.subarray(0, 100)],
    [
      "that of another label",
      (bytes) => Buffer.from(bytes.toString().replace(`"label": "${LABEL}"`, '"label": "2025-01-06"')),
    ],
    [
      "changed in a field that nothing else knows",
      (bytes) => Buffer.from(bytes.toString().replace('"host": "h"', '"host": "i"')),
    ],
  ])("that is %s is found, and hides no other backup", async (_, change) => {
    await putBackup(repository.store, { label: "2025-01-06", first: 4 });
    await replace(repository.store, `base/${LABEL}/backup.json`, change);
    expect(await find({ depth: QUICK })).toEqual([error("backup-record-damaged", LABEL)]);
  });

  test("without its digest is a warning", async () => {
    await replace(repository.store, `base/${LABEL}/backup.json`, (bytes) =>
      Buffer.from(bytes.toString().replace(/,\n {2}"digest.*\n/, "\n")),
    );
    expect(await find({ depth: QUICK })).toEqual([warning("backup-record-damaged", `base/${LABEL}/backup.json`)]);
  });

  test("that is not there is an interrupted backup: nothing is lost, and nothing is left; before its deadline it is running", async () => {
    await repository.store.remove([`base/${LABEL}/backup.json`]);
    expect(await find()).toEqual([error("no-backup", "base/"), warning("backup-interrupted", LABEL)]);
    const { findings } = await verify({ now: () => new Date(`${LABEL}T02:30:00Z`) });
    expect(findings.map(({ kind, severity }) => [kind, severity])).toEqual([
      ["no-backup", "error"],
      ["backup-running", "notice"],
    ]);
    await repository.store.remove([`base/${LABEL}/started.json`]);
    expect(await find({ depth: QUICK })).toEqual([error("no-backup", "base/"), warning("backup-interrupted", LABEL)]);
  });

  test("of another cluster is found", async () => {
    await putBackup(repository.store, {
      label: "2025-01-06",
      first: 4,
      change: (record) => ({ ...record, systemIdentifier: "1" }),
    });
    expect(await find()).toEqual([error("backup-foreign", "2025-01-06")]);
  });

  test("that tells of damaged pages at the source is a warning", async () => {
    const damagedPages = ["base/5/1", "base/5/1", "base/5/2", "base/5/3", "base/5/4"].map((path) => ({
      path,
      detail: "blocks 1",
    }));
    await putBackup(repository.store, {
      label: "2025-01-06",
      first: 4,
      change: (record) => ({ ...record, damagedPages }),
    });
    const { findings } = await verify({ depth: QUICK });
    expect(findings).toMatchObject([
      {
        kind: "backup-source-damaged",
        severity: "warning",
        where: "2025-01-06",
        what: "the source had damaged pages in base/5/1, base/5/2, base/5/3 and 1 more files",
      },
    ]);
  });

  test("of a newer format is no finding but a refusal: this program cannot tell", async () => {
    await replace(repository.store, `base/${LABEL}/backup.json`, () => Buffer.from('{"format":2}'));
    await expect(find()).rejects.toMatchObject({ code: "REPOSITORY_VERSION" });
  });
});
