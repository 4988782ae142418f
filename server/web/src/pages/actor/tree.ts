/** Squares are divided at most so often: bodies in one place stay together. */
const depthMost = 32;

/**
 * A Barnes-Hut tree: squares with the mass of what is in them and where that lies, so
 * that far bodies act as one.
 */
export class Tree {
  private readonly at: Float64Array;
  private readonly weight: Float64Array;
  /** Four of each square: 0 is empty, n is square n, -n is body n-1. */
  private readonly child: Int32Array;
  private readonly mass: Float64Array;
  private readonly momentX: Float64Array;
  private readonly momentY: Float64Array;
  private readonly half: Float64Array;
  /** The next body in the same place, plus 1. */
  private readonly beside: Int32Array;
  private readonly room: number;
  private readonly stack: Int32Array;
  private cells = 0;

  /** A tree for bodies at x, y, x, y with these masses; both may change before `build`. */
  constructor(at: Float64Array, weight: Float64Array) {
    const n = weight.length;
    this.at = at;
    this.weight = weight;
    this.room = 8 * n + 64;
    this.child = new Int32Array(4 * this.room);
    this.mass = new Float64Array(this.room);
    this.momentX = new Float64Array(this.room);
    this.momentY = new Float64Array(this.room);
    this.half = new Float64Array(this.room);
    this.beside = new Int32Array(n);
    this.stack = new Int32Array(4 * depthMost + 8);
  }

  /** Builds the tree anew. */
  build(): void {
    let half = 1;
    for (const v of this.at) half = Math.max(half, Math.abs(v));
    this.cells = 0;
    this.beside.fill(0);
    this.cell(half);
    for (let i = 0; i < this.weight.length; i++) this.insert(i);
  }

  /** Calls with what acts on a body: the way to it and its mass. */
  act(i: number, theta: number, on: (dx: number, dy: number, mass: number) => void): void {
    const x = this.at[2 * i]!;
    const y = this.at[2 * i + 1]!;
    let top = 0;
    this.stack[top++] = 0;
    while (top > 0) {
      const c = this.stack[--top]!;
      const m = this.mass[c]!;
      const dx = this.momentX[c]! / m - x;
      const dy = this.momentY[c]! / m - y;
      const size = 2 * this.half[c]!;
      if (size * size < theta * theta * (dx * dx + dy * dy)) {
        on(dx, dy, m);
        continue;
      }
      for (let q = 0; q < 4; q++) {
        const k = this.child[4 * c + q]!;
        if (k > 0) this.stack[top++] = k;
        for (let j = -k; j > 0; j = this.beside[j - 1]!) {
          if (j - 1 !== i) on(this.at[2 * j - 2]! - x, this.at[2 * j - 1]! - y, this.weight[j - 1]!);
        }
      }
    }
  }

  private cell(half: number): number {
    const c = this.cells++;
    this.child.fill(0, 4 * c, 4 * c + 4);
    this.mass[c] = this.momentX[c] = this.momentY[c] = 0;
    this.half[c] = half;
    return c;
  }

  private insert(i: number): void {
    const x = this.at[2 * i]!;
    const y = this.at[2 * i + 1]!;
    let c = 0;
    let cx = 0;
    let cy = 0;
    for (let depth = 0; ; depth++) {
      this.add(c, i);
      const q = (x >= cx ? 1 : 0) + (y >= cy ? 2 : 0);
      const half = this.half[c]! / 2;
      cx += q & 1 ? half : -half;
      cy += q & 2 ? half : -half;
      const k = this.child[4 * c + q]!;
      if (k > 0) {
        c = k;
        continue;
      }
      if (k === 0 || depth >= depthMost || this.cells >= this.room) {
        this.beside[i] = -k;
        this.child[4 * c + q] = -(i + 1);
        return;
      }
      const deeper = this.cell(half);
      this.child[4 * c + q] = deeper;
      const j = -k - 1;
      this.add(deeper, j);
      this.child[4 * deeper + (this.at[2 * j]! >= cx ? 1 : 0) + (this.at[2 * j + 1]! >= cy ? 2 : 0)] = k;
      c = deeper;
    }
  }

  private add(c: number, i: number): void {
    const w = this.weight[i]!;
    this.mass[c] = this.mass[c]! + w;
    this.momentX[c] = this.momentX[c]! + w * this.at[2 * i]!;
    this.momentY[c] = this.momentY[c]! + w * this.at[2 * i + 1]!;
  }
}
