import fc from "fast-check";
import { expect, test } from "vitest";
import { type Frame, FrameParser, MESSAGE } from "./frame-parser.ts";

const message = fc.record({
  type: fc.constantFrom(MESSAGE.copyData, MESSAGE.copyData, MESSAGE.dataRow, MESSAGE.errorResponse),
  body: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});

function encode(messages: readonly { type: number; body: Buffer }[]): Buffer {
  return Buffer.concat(
    messages.map(({ type, body }) => {
      const header = Buffer.alloc(5);
      header.writeUInt8(type, 0);
      header.writeUInt32BE(body.length + 4, 1);
      return Buffer.concat([header, body]);
    }),
  );
}

/** Puts the pieces of copy messages together again. */
function collect(frames: readonly Frame[]): { type: number; body: Buffer }[] {
  const messages: { type: number; body: Buffer }[] = [];
  let parts: Buffer[] = [];
  for (const frame of frames) {
    if (frame.kind === "message") {
      messages.push({ type: frame.type, body: frame.body });
      continue;
    }
    expect(frame.first).toBe(parts.length === 0);
    parts.push(frame.body);
    if (!frame.last) continue;
    messages.push({ type: MESSAGE.copyData, body: Buffer.concat(parts) });
    parts = [];
  }
  return messages;
}

test("cuts messages the same way however the stream is split", () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 1 }),
      (messages, sizes) => {
        const stream = encode(messages);
        const frames: Frame[] = [];
        const parser = new FrameParser((frame) => frames.push(frame));
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          // A fresh buffer for every read, as Node does.
          parser.push(Buffer.from(stream.subarray(at, at + size)));
          at += size;
        }
        expect(collect(frames)).toEqual(messages);
      },
    ),
  );
});

test("passes copy data on without copying it", () => {
  const chunk = encode([{ type: MESSAGE.copyData, body: Buffer.from("dabc") }]);
  const frames: Frame[] = [];
  new FrameParser((frame) => frames.push(frame)).push(chunk);
  expect(frames[0]?.body.buffer).toBe(chunk.buffer);
});

test("refuses lengths that no message has", () => {
  const parser = (): FrameParser => new FrameParser(() => undefined);
  expect(() => parser().push(Buffer.from([MESSAGE.dataRow, 0, 0, 0, 3]))).toThrow("claims -1 bytes");
  expect(() => parser().push(Buffer.from([MESSAGE.dataRow, 0x7f, 0, 0, 0]))).toThrow(
    "unable to read the server's messages",
  );
});
