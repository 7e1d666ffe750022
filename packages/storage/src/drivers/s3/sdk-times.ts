/**
 * When a request was signed and when it was answered. The SDK knows both and hands out neither, so that a step of its
 * stack writes them to its results and errors, and these functions read them.
 */
const ANSWERED_AT = Symbol("answered at");
const SIGNED_AT = Symbol("signed at");

/** Told the server's clock by an answer. */
export type OnDate = (date: Date) => void;

interface Answer {
  readonly response: unknown;
  readonly output?: object;
}

/** Runs the rest of the stack for a signed request, and notes its times. `onDate` is told by refusals, too. */
export async function noteTimes<A extends Answer>(
  request: unknown,
  send: () => Promise<A>,
  onDate?: OnDate,
): Promise<A> {
  const tell = (response: unknown): void => {
    const date = dateOf(headerOf(response ?? {}, "date"));
    if (date !== undefined) onDate?.(date);
  };
  try {
    const answer = await send();
    Object.assign(answer.output ?? {}, { [ANSWERED_AT]: headerOf(answer.response, "date") });
    tell(answer.response);
    return answer;
  } catch (error) {
    if (error instanceof Error) Object.assign(error, { [SIGNED_AT]: headerOf(request, "x-amz-date") });
    tell((error as { readonly $response?: unknown }).$response);
    throw error;
  }
}

/** The server's clock when it gave this answer. */
export function answeredAt(output: object): Date | undefined {
  return dateOf((output as { [ANSWERED_AT]?: string })[ANSWERED_AT]);
}

function dateOf(header: string | undefined): Date | undefined {
  const time = Date.parse(header ?? "");
  return Number.isNaN(time) ? undefined : new Date(time);
}

/** The time that a request that failed was signed with, in milliseconds since 1970. */
export function signedAtOf(error: Error): number | undefined {
  const text = (error as { [SIGNED_AT]?: string })[SIGNED_AT] ?? "";
  const time = Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  return Number.isNaN(time) ? undefined : time;
}

function headerOf(message: unknown, name: string): string | undefined {
  const { headers = {} } = message as { readonly headers?: Readonly<Record<string, string>> };
  return Object.entries(headers).find(([other]) => other.toLowerCase() === name)?.[1];
}
