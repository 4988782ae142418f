/** Where something stands in a picture; y grows downwards. */
export interface Place {
  id: string;
  x: number;
  y: number;
}

/** Ways of the arrow keys. */
export const ways: Readonly<Record<string, readonly [dx: number, dy: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/**
 * The place that one comes to from another by an arrow key: the nearest one in that
 * direction, where what lies aside counts double. Undefined where there is none.
 */
export function walk(from: Place, [dx, dy]: readonly [number, number], places: readonly Place[]): Place | undefined {
  let best: Place | undefined;
  let least = Infinity;
  for (const p of places) {
    if (p.id === from.id) continue;
    const along = (p.x - from.x) * dx + (p.y - from.y) * dy;
    const aside = Math.abs((p.x - from.x) * dy) + Math.abs((p.y - from.y) * dx);
    if (along <= 0 || aside > along * 2) continue;
    const far = along + 2 * aside;
    if (far < least || (far === least && best !== undefined && p.id < best.id)) {
      best = p;
      least = far;
    }
  }
  return best;
}

/** The place nearest to the middle of all: where the keyboard begins. */
export function middle(places: readonly Place[]): Place | undefined {
  const n = places.length;
  const x = places.reduce((s, p) => s + p.x, 0) / n;
  const y = places.reduce((s, p) => s + p.y, 0) / n;
  return places.reduce<Place | undefined>((b, p) => (b && Math.hypot(b.x - x, b.y - y) <= Math.hypot(p.x - x, p.y - y) ? b : p), undefined);
}
