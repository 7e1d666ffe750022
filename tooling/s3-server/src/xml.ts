import { S3Error } from "./s3-error.ts";

/** An element to be written: its name and its text or children. Elements with undefined content are left out. */
export type XmlElement = readonly [name: string, content: XmlContent];
export type XmlContent = string | number | boolean | undefined | readonly XmlElement[];

/** An element that was read. */
export interface XmlNode {
  readonly name: string;
  readonly children: XmlNode[];
  text: string;
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";

/** Writes an S3 answer. Error documents carry no namespace, all others do. */
export function formatXml(root: string, children: readonly XmlElement[]): string {
  const attribute = root === "Error" ? "" : ` xmlns="${NAMESPACE}"`;
  return `${DECLARATION}<${root}${attribute}>${children.map(formatElement).join("")}</${root}>`;
}

function formatElement([name, content]: XmlElement): string {
  if (content === undefined) return "";
  const inner = typeof content === "object" ? content.map(formatElement).join("") : escapeXml(String(content));
  return `<${name}>${inner}</${name}>`;
}

/** Control characters are written as references, as S3 does; XML 1.0 parsers refuse them (hence encoding-type=url). */
function escapeXml(text: string): string {
  return text.replace(/[&<>"\p{Cc}]/gu, (character) => {
    const named = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }[character];
    return named ?? `&#x${character.charCodeAt(0).toString(16)};`;
  });
}

/** Reads a request body. Understands what S3 clients send: elements, text, references; no CDATA, no DTD. */
export function parseXml(text: string, rootName: string): XmlNode {
  const root: XmlNode = { name: "", children: [], text: "" };
  const open = [root];
  for (const [, declaration, closing, name, selfClosing, characters] of text.matchAll(
    /(<\?[^>]*\?>|<!--[\s\S]*?-->)|<(\/?)([A-Za-z_][\w.:-]*)[^<>]*?(\/?)>|([^<]+)|</g,
  )) {
    if (declaration !== undefined) continue;
    const current = open.at(-1);
    if (current === undefined) throw new S3Error("MalformedXML");
    if (characters !== undefined) current.text += unescapeXml(characters);
    else if (name === undefined) throw new S3Error("MalformedXML");
    else if (closing === "/") {
      if (open.pop()?.name !== localName(name)) throw new S3Error("MalformedXML");
    } else {
      const node: XmlNode = { name: localName(name), children: [], text: "" };
      current.children.push(node);
      if (selfClosing !== "/") open.push(node);
    }
  }
  const [document] = root.children;
  if (open.length !== 1 || root.children.length !== 1 || document?.name !== rootName) throw new S3Error("MalformedXML");
  return document;
}

/** All children of that name. */
export function childrenOf(node: XmlNode, name: string): XmlNode[] {
  return node.children.filter((child) => child.name === name);
}

/** The text of the first child of that name. */
export function textOf(node: XmlNode, name: string): string | undefined {
  return node.children.find((child) => child.name === name)?.text.trim();
}

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

function unescapeXml(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-fA-F]+)|#(\d+)|(amp|lt|gt|quot|apos));/g,
    (_, hex?: string, decimal?: string, name?: string) => {
      if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
      if (decimal !== undefined) return String.fromCodePoint(parseInt(decimal, 10));
      return { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }[name ?? ""] ?? "";
    },
  );
}
