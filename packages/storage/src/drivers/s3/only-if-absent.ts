import { SoarError } from "@soar/errors";
import type { PutOptions } from "../../object-store.ts";
import { type S3Call, type S3Context, statS3 } from "./context.ts";
import { eitherWay } from "./either-way.ts";
import { isConditionRefused, isConditionRefusedForSure } from "./refusals.ts";
import { isS3Failure, S3Failure, type WireStored } from "./wire.ts";

/** Servers judge puts and completions by themselves: some honour the one condition and overlook the other. */
export type ConditionHabit = "conditionalPut" | "conditionalComplete";

/** A write that may be conditional. */
export interface ConditionalWrite {
  readonly habit: ConditionHabit;
  readonly ifAbsent: PutOptions["ifAbsent"];
  readonly send: (ifNoneMatch: boolean) => Promise<WireStored>;
  /** Ends what other writers have begun under this key, where the server would let them replace this write; looks first whether it is taken. */
  readonly endRivals?: ((requireAbsent: () => Promise<void>) => Promise<void>) | undefined;
}

/** How the write went, and whether another writer may have come in between. */
export interface ConditionalOutcome {
  readonly stored: WireStored;
  readonly verify: boolean;
}

/**
 * Sends a write under `ifAbsent` the safest way that the server knows:
 * - honoured: the server decides; the result is compared afterwards unless it is known to decide atomically.
 * - unknown or ignored: looks first, sends the condition all the same, and has the result compared afterwards.
 * - refused: looks first, and has the result compared afterwards.
 *
 * Looking finds no writer who looks before this write and writes after the second look: where writes can be ended by
 * others, those that were begun are ended before the last look that precedes it.
 *
 * `"by-server"` sends the condition and nothing else, and learns from the answer.
 */
export async function sendConditionally(
  context: S3Context,
  call: S3Call,
  write: ConditionalWrite,
): Promise<ConditionalOutcome> {
  const { habit, ifAbsent, send } = write;
  const { habits } = context;
  if (!ifAbsent) return { stored: await send(false), verify: false };
  if (ifAbsent === "by-server") return { stored: await sendWithCondition(context, call, write), verify: false };
  const before = habits.now;
  await prepareFor(context, call, write);
  const stored = await eitherWay(
    habits,
    {
      habit,
      other: "refused",
      // A body that went through only after its proof was changed says nothing about the condition.
      isRefusal: isConditionRefused,
      isProved: () => habits.now.payloadSignature === before.payloadSignature,
    },
    async (way) => {
      if (way !== "refused") return await sendWithCondition(context, call, write);
      // The book still has "honoured" while a refusal is only perhaps one of the condition.
      if (before[habit] === "honoured") await prepareFor(context, call, write, false);
      return await send(false);
    },
  );
  return { stored, verify: habits.now[habit] !== "honoured" || !isAtomic(context, habit) };
}

/** In this order: who is not ended was begun later, and looks later. */
async function prepareFor(
  context: S3Context,
  call: S3Call,
  { habit, endRivals }: ConditionalWrite,
  isHonoured = context.habits.now[habit] === "honoured",
): Promise<void> {
  if (endRivals !== undefined && (!isHonoured || !isAtomic(context, habit)))
    await endRivals(() => requireAbsent(context, call));
  if (!isHonoured) await requireAbsent(context, call);
}

/** A completion has no body that others could overlap with; its result is looked at in any case. */
function isAtomic({ habits }: S3Context, habit: ConditionHabit): boolean {
  return habit === "conditionalPut" ? habits.now.atomicPut === "yes" : habits.now.atomicPut !== "no";
}

async function sendWithCondition(
  context: S3Context,
  call: S3Call,
  { habit, send }: ConditionalWrite,
): Promise<WireStored> {
  try {
    return await send(true);
  } catch (error) {
    if (error instanceof S3Failure && isConditionRefusedForSure(error))
      context.habits.learn(habit, "refused", error.message);
    if (isS3Failure(error, 412, "PreconditionFailed")) {
      // A refusal proves that the server looks at the condition.
      context.habits.learn(habit, "honoured");
      throw taken(context, call, error);
    }
    if (isS3Failure(error, 0, "ConditionalRequestConflict")) throw await explainConflict(context, call, error);
    throw error;
  }
}

/** 409: another write or removal of this key was under way. Who won is seen by looking; if nobody, trying again helps. */
async function explainConflict(context: S3Context, call: S3Call, error: unknown): Promise<unknown> {
  return (await statS3(context, call.key ?? "", call.signal)) === undefined ? error : taken(context, call, error);
}

async function requireAbsent(context: S3Context, call: S3Call): Promise<void> {
  if ((await statS3(context, call.key ?? "", call.signal)) !== undefined) throw taken(context, call, undefined);
}

export function taken(context: S3Context, call: S3Call, cause: unknown): SoarError {
  return new SoarError(
    "OBJECT_EXISTS",
    `unable to store '${context.nameOf(call.key ?? "")}': there is an object of this name already`,
    { cause },
  );
}
