import { eitherWay, type TwoWays } from "./either-way.ts";
import type { HabitBook } from "./habit-book.ts";
import { isExpectRefused, isMd5Refused, mayRefuseUnsigned, namesPayload } from "./refusals.ts";
import type { BodyManner, RawS3Wire, S3Failure, S3Wire, WireStored } from "./wire.ts";

/** Bodies from this size on wait for "100 Continue". */
const EXPECT_CONTINUE_BYTES = 1024 ** 2;

/** A server that took an unsigned body so recently does not refuse the next one for being unsigned. */
const TAKEN_LATELY_MS = 60_000;

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

/** Sends bodies the way that this server is known to take them, and finds that way out. */
export function throughHabits(wire: RawS3Wire, book: HabitBook): S3Wire {
  let unsignedTakenAt = -Infinity;
  const signatureFor = ({ ifNoneMatch = false }: BodyRequest): TwoWays<"payloadSignature"> => ({
    habit: "payloadSignature",
    other: "sha256",
    isRefusal: (error: S3Failure) =>
      (mayRefuseUnsigned(error) || (error.facts.code === "NotImplemented" && !ifNoneMatch)) &&
      (namesPayload(error) || performance.now() - unsignedTakenAt > TAKEN_LATELY_MS),
  });
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
