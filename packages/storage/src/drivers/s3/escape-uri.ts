/** As RFC 3986 has it and the signature wants it: everything but A-Z a-z 0-9 - . _ ~ becomes %XX. */
export function escapeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
