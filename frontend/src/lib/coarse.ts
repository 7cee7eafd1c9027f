/**
 * The whole capture in a few thousand columns: each pools `group` bins, by tick the value of largest magnitude. What
 * the ring has forgotten, and maps of hours, are drawn from here. Rows are absolute ticks around the first spot of the
 * column's bins; a tick further away than that is left out.
 */

import type { ColumnRing, Columns } from "./ring";

const EMPTY = -1;
export const COARSE_COLUMNS = 4096;
const COARSE_RADIUS = 100;
/** Fewer bins than this in a column would save nothing. */
const LEAST_GROUP = 8;

export class CoarseMap implements Columns {
  /** Bins of a column. */
  readonly group: number;
  readonly capacity: number;
  readonly rows: number;
  /** Column number per slot, -1 while empty. A capture never has more columns than slots. */
  readonly seqs: Int32Array;
  readonly spotTick: Int32Array;
  readonly #columns = new Map<string, Float32Array>();
  #last = EMPTY;
  #first = EMPTY;

  constructor(nBins: number, fields: readonly string[], columns = COARSE_COLUMNS, radius = COARSE_RADIUS) {
    this.group = Math.max(LEAST_GROUP, Math.ceil(nBins / columns));
    this.capacity = Math.max(1, Math.ceil(nBins / this.group));
    this.rows = 2 * radius + 1;
    this.seqs = new Int32Array(this.capacity).fill(EMPTY);
    this.spotTick = new Int32Array(this.capacity);
    for (const field of fields) this.#columns.set(field, new Float32Array(this.capacity * this.rows));
  }

  get first(): number {
    return this.#first;
  }

  get last(): number {
    return this.#last;
  }

  drawn(column: number): number {
    return column >= 0 && column < this.capacity && this.seqs[column] === column ? column : -1;
  }

  columnOf(seq: number): number {
    return Math.floor(seq / this.group);
  }

  has(name: string): boolean {
    return this.#columns.has(name);
  }

  field(name: string): Float32Array | undefined {
    return this.#columns.get(name);
  }

  /** Pool one bin with a valid book, rows around its spot tick; its column, -1 beyond the capture. */
  add(seq: number, spotTick: number, values: (field: string) => ArrayLike<number> | undefined): number {
    const column = this.columnOf(seq);
    if (column < 0 || column >= this.capacity) return EMPTY;
    const fresh = this.seqs[column] !== column;
    if (fresh) {
      this.seqs[column] = column;
      this.spotTick[column] = spotTick;
    }
    const shift = spotTick - this.spotTick[column];
    for (const [name, target] of this.#columns) {
      const base = column * this.rows;
      if (fresh) target.fill(0, base, base + this.rows);
      const source = values(name);
      if (!source) continue;
      const offset = shift + (this.rows - source.length) / 2;
      const to = Math.min(source.length, this.rows - offset);
      for (let row = Math.max(0, -offset); row < to; row += 1) {
        const at = base + offset + row;
        if (Math.abs(source[row]) > Math.abs(target[at])) target[at] = source[row];
      }
    }
    if (this.#first === EMPTY || column < this.#first) this.#first = column;
    if (column > this.#last) this.#last = column;
    return column;
  }

  /** Forget bin `seq` and all later ones; what the ring still has of the column that `seq` splits is pooled again. */
  rewind(seq: number, ring: ColumnRing): void {
    const from = this.columnOf(seq);
    this.seqs.fill(EMPTY, Math.max(0, from));
    this.#last = Math.min(this.#last, from - 1);
    if (this.#first > this.#last) this.#first = this.#last = EMPTY;
    for (let back = from * this.group; back < seq; back += 1) {
      const slot = ring.drawn(back);
      if (slot >= 0) this.add(back, ring.spotTick[slot], (name) => ring.column(name, back));
    }
  }
}
