/** How far `later` is from `earlier`, in the largest unit that makes it more than one: `400 days`, `7 hours`, `20 minutes`. */
export function describeSpan(later: Date, earlier: Date): string {
  const minutes = Math.round((later.getTime() - earlier.getTime()) / 60_000);
  if (minutes >= 2880) return `${Math.round(minutes / 1440)} days`;
  if (minutes >= 120) return `${Math.round(minutes / 60)} hours`;
  return `${minutes} minutes`;
}
