/** Makes units ascend, each once and so many times larger, in the memory where they are. */
export function makeDistinct(units: number[], larger: number): number[] {
  const sorted = Uint32Array.from(units);
  if (larger > 1) for (let at = 0; at < sorted.length; at++) sorted[at] = (sorted[at] as number) / larger;
  sorted.sort();
  let [count, last] = [0, -1];
  for (const unit of sorted) {
    if (unit !== last) units[count++] = unit;
    last = unit;
  }
  units.length = count;
  return units;
}
