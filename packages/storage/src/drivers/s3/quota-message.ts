const QUOTA_MESSAGE = /quota|cap exceeded|storage (?:cap|limit)|over its limit|spending limit|usage limit/i;

/** Providers say by all kinds of codes that there is no room; the words are alike. */
export function isQuotaMessage(message: string): boolean {
  return QUOTA_MESSAGE.test(message);
}
