/** What the bundler needs to know of an app's package.json. */
export interface AppManifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

export function readManifest(text: string): AppManifest {
  const { name, version, dependencies = {} } = JSON.parse(text) as Partial<AppManifest>;
  if (name === undefined || version === undefined)
    throw new Error("unable to bundle: package.json has no name or no version");
  return { name, version, dependencies };
}
