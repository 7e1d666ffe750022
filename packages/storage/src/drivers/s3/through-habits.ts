import { eitherWay, type TwoWays } from "./either-way.ts";
import type { HabitBook } from "./habit-book.ts";
import { isExpectRefused, isForbidden, isMd5Refused, mayRefuseUnsigned, namesPayload } from "./refusals.ts";
import type { BodyManner, RawS3Wire, S3Failure, S3Wire, WireStored } from "./wire.ts";

/** Bodies from this size on wait for "100 Continue". */
const EXPECT_CONTINUE_BYTES = 1024 ** 2;

interface BodyRequest {
  readonly body: Uint8Array;
  readonly ifNoneMatch?: boolean;
  readonly whenBegun?: (() => Promise<void>) | undefined;
}

const CONTENT_MD5: TwoWays<"contentMd5"> = { habit: "contentMd5", other: "refused", isRefusal: isMd5Refused };

const EXPECTATION: TwoWays<"expectContinue"> = {
  habit: "expectContinue",
  other: "refused",
  isRefusal: isExpectRefused,
};

/** An endpoint that took an unsigned body so recently does not find the next one badly made for being unsigned. */
const TAKEN_LATELY_MS = 60_000;

/**
 * Sends bodies the way that this server is known to take them, and finds that way out. `generation` counts the credentials.
 * That it let the last body in says nothing about the next one: policies hold for some keys, and begin at some moment.
 */
export function throughHabits(wire: RawS3Wire, book: HabitBook, generation: () => number = () => 0): S3Wire {
  let unsignedTakenAt = -Infinity;
  const signatureFor = ({ ifNoneMatch = false }: BodyRequest): TwoWays<"payloadSignature"> => {
    const before = generation();
    return {
      habit: "payloadSignature",
      other: "sha256",
      isRefusal: (error: S3Failure) =>
        (mayRefuseUnsigned(error) || (error.facts.code === "NotImplemented" && !ifNoneMatch)) &&
        (isForbidden(error) || namesPayload(error) || performance.now() - unsignedTakenAt > TAKEN_LATELY_MS),
      // What other credentials may do says nothing about how bodies are signed.
      isProved: () => generation() === before,
    };
  };
  const send = (request: BodyRequest, run: (manner: BodyManner) => Promise<WireStored>): Promise<WireStored> =>
    eitherWay(book, CONTENT_MD5, (contentMd5) =>
      eitherWay(book, signatureFor(request), async (signature) => {
        const signBody = signature === "sha256" || contentMd5 === "refused";
        const stored = await eitherWay(book, EXPECTATION, (expect) =>
          run({
            signBody,
            sendMd5: contentMd5 === "taken",
            expectContinue: expect === "taken" && waitsForServer(request),
            onExpectation(outcome) {
              if (outcome === "waited in vain") book.learn("expectContinue", "ignored");
            },
          }),
        );
        if (!signBody) unsignedTakenAt = performance.now();
        return stored;
      }),
    );
  return {
    ...wire,
    putObject: (request) => send(request, (manner) => wire.putObject({ ...request, ...manner })),
    uploadPart: (request) => send(request, (manner) => wire.uploadPart({ ...request, ...manner })),
  };
}

/** With a smaller body the wait would cost more than it saves, unless somebody wants to know that the server has begun. */
function waitsForServer({ body, whenBegun }: BodyRequest): boolean {
  return body.byteLength >= EXPECT_CONTINUE_BYTES || whenBegun !== undefined;
}
