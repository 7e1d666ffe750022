/** A record that this package keeps on disk as JSON; undefined for text that is cut off or of another kind. */
export function parseRecord<T>(text: string, isRecord: (value: unknown) => value is T): T | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
