/** An element of an answer. Attributes, comments and processing instructions mean nothing in S3's answers. */
export interface XmlElement {
  readonly name: string;
  /** What it holds beside other elements, entities undone. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

/** What may stand between `<` and `>`, or be the text before the next `<`. */
const TOKEN =
  /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([^\s<>/!?]+)(?:\s(?:[^<>"']|"[^"]*"|'[^']*')*?)?(\/?)>|([^<]+)/gy;

interface OpenElement {
  readonly name: string;
  text: string;
  readonly children: XmlElement[];
}

/** Reads a document as S3 servers write them. Throws a `SyntaxError` for anything else, a document type included. */
export function parseXml(document: string): XmlElement {
  const open: OpenElement[] = [{ name: "", text: "", children: [] }];
  let at = document.startsWith("\uFEFF") ? 1 : 0;
  TOKEN.lastIndex = at;
  for (let token = TOKEN.exec(document); token !== null; token = TOKEN.exec(document)) {
    at = TOKEN.lastIndex;
    const [, data, slash, name, isEmpty, text] = token;
    const inside = open.at(-1);
    if (inside === undefined) break;
    if (data !== undefined) inside.text += data;
    else if (text !== undefined) inside.text += undoEntities(text);
    else if (name === undefined) continue;
    else if (slash === "/") close(open, name);
    else if (isEmpty === "/") inside.children.push({ name, text: "", children: [] });
    else open.push({ name, text: "", children: [] });
  }
  const [document_, unclosed] = open;
  const [root, ...others] = document_?.children ?? [];
  if (at !== document.length || unclosed !== undefined || document_ === undefined || document_.text.trim() !== "")
    throw new SyntaxError(`no well-formed XML at character ${at} of ${document.length}`);
  if (root === undefined || others.length > 0) throw new SyntaxError("no XML document of one element");
  return root;
}

function close(open: OpenElement[], name: string): void {
  const closed = open.pop();
  if (closed?.name !== name || open.length === 0)
    throw new SyntaxError(`no well-formed XML: '${name}' ends where it has not begun`);
  open.at(-1)?.children.push(closed);
}

/** The first element of a name within one. */
export function elementOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name === name);
}

/** The elements of a name within one. */
export function elementsOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

/** What stands in the first element of a name within one; undefined where there is none. */
export function textOf(element: XmlElement, name: string): string | undefined {
  return elementOf(element, name)?.text;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function undoEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (entity, decimal, hexadecimal, name) => {
    const code = decimal === undefined ? Number.parseInt(String(hexadecimal), 16) : Number(decimal);
    if (name === undefined) return code <= 0x10ffff ? String.fromCodePoint(code) : entity;
    return ENTITIES[String(name)] ?? entity;
  });
}

/** Text as it has to be written into an element, so that no reader of XML takes the ends of lines for others. */
export function escapeXml(text: string): string {
  return text.replace(
    /[&<>"'\r\n\u0085\u2028]/g,
    (character) => `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`,
  );
}
