import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dumpDom, requires } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SAMPLE_RESULT } from "../../../test/drill-report.fixture.ts";
import { formatReportPage } from "./report-page.ts";
import { sealReport } from "./seal-report.ts";

const page = formatReportPage(sealReport(SAMPLE_RESULT));

/** What a reader sees, told by the browser itself. */
interface Measured {
  readonly text: string;
  readonly pageWidth: number;
  readonly windowWidth: number;
  /** Bars and lines of the pictures that have no extent, or lie outside of their picture. */
  readonly lost: readonly string[];
  readonly bars: number;
  readonly background: string;
  readonly ink: string;
}

const MEASURE = `<script>addEventListener("load", () => {
  const shapes = [...document.querySelectorAll("svg rect, svg line")];
  const lost = shapes.filter((shape) => {
    const [own, picture] = [shape.getBoundingClientRect(), shape.ownerSVGElement.getBoundingClientRect()];
    return own.width + own.height === 0 || own.left < picture.left - 1 || own.right > picture.right + 1 || own.bottom > picture.bottom + 1;
  });
  const style = getComputedStyle(document.body);
  const measured = { text: document.body.innerText, pageWidth: document.documentElement.scrollWidth, windowWidth: innerWidth, lost: lost.map((shape) => shape.outerHTML), bars: shapes.length, background: style.backgroundColor, ink: style.color };
  const note = document.createElement("script");
  note.type = "application/json";
  note.textContent = JSON.stringify(measured).replaceAll("<", "\\\\u003c");
  note.id = "measured";
  document.head.append(note);
});</script>`;

let server: Server;
let origin: string;
const requests: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = request.url ?? "";
    requests.push(url);
    response.setHeader("content-type", "text/html; charset=utf-8");
    // The page itself allows no script; the one that measures comes in addition.
    if (url === "/measured")
      response.end(
        page.replace("default-src 'none'", "script-src 'unsafe-inline'").replace("</head>", `${MEASURE}</head>`),
      );
    else if (url === "/page") response.end(page);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test(
  "in a browser, on a screen and on a telephone, everything of the page is to be seen, and nothing is asked for besides it",
  { ...requires("chromium"), timeout: 120_000 },
  async () => {
    for (const width of [1200, 500]) {
      requests.length = 0;
      const dom = await dumpDom(`${origin}/measured`, { width, height: 900 });
      const [, json = "{}"] = /<script type="application\/json" id="measured">([^]*?)<\/script>/.exec(dom) ?? [];
      const measured = JSON.parse(json) as Measured;
      expect(measured.pageWidth, `at ${width}`).toBeLessThanOrEqual(measured.windowWidth);
      expect(measured.lost).toEqual([]);
      expect(measured.bars).toBeGreaterThan(8);
      expect(measured.ink).not.toBe(measured.background);
      for (const part of [
        "Restore drill failed",
        "Backup tested",
        "WAL range tested",
        "RTO estimate",
        "RPO verified",
        "✓ Pass",
        "SELECT '<script>'",
        "what it printed",
      ])
        expect(measured.text).toContain(part);
      expect(requests.filter((url) => url !== "/favicon.ico")).toEqual(["/measured"]);
    }
    const own = await dumpDom(`${origin}/page`, { width: 1200, height: 900 });
    expect(own).toContain("<title>Restore drill failed, 2026-11-25</title>");
    expect(own).not.toContain("<b>14 passed</b>");
  },
);
