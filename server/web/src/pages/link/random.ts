/** Numbers that look random and are the same for the same seed (mulberry32), for tests. */
export function random(seed: number): { int: (least: number, most: number) => number; of: <T>(list: readonly T[]) => T; text: (most: number) => string } {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const int = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  const of = <T>(list: readonly T[]): T => list[int(0, list.length - 1)] as T;
  const letters = [..."abcdefgh.-/ @0123456789", "\u202e", "漢", "é", "<", "&", "\u200b"];
  return { int, of, text: (most) => Array.from({ length: int(1, most) }, () => of(letters)).join("") };
}
