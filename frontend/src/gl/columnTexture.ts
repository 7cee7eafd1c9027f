/**
 * One field of a column source on the graphics card: `values` (rows wide, capacity high) float32, and `marks`
 * (1, capacity) with the column's number and spot tick, number -1 where there is nothing to draw. What came since the
 * last frame is uploaded in one piece per stretch of slots; another field, or many columns at once, upload everything.
 */

import type { Columns } from "../lib/ring";

/** Past this many fresh columns one upload of all is cheaper. */
const WHOLE_AFTER = 192;

function texture(gl: WebGL2RenderingContext): WebGLTexture {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
  for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
  return made;
}

/** Number and spot tick of slots [from, to), as the shader reads them. */
export function marksOf(columns: Columns, from: number, to: number): Int32Array {
  const marks = new Int32Array(2 * (to - from));
  for (let slot = from; slot < to; slot += 1) {
    const number = columns.seqs[slot];
    marks[2 * (slot - from)] = columns.drawn(number) === slot ? number : -1;
    marks[2 * (slot - from) + 1] = columns.spotTick[slot];
  }
  return marks;
}

/** Slots as stretches [from, to) of neighbours, in rising order. */
export function stretches(slots: Iterable<number>): [number, number][] {
  const found: [number, number][] = [];
  for (const slot of [...slots].sort((a, b) => a - b)) {
    const open = found.at(-1);
    if (open && open[1] === slot) open[1] = slot + 1;
    else found.push([slot, slot + 1]);
  }
  return found;
}

export class ColumnTexture {
  /** Columns uploaded so far, for measuring. */
  uploaded = 0;
  #gl: WebGL2RenderingContext | null = null;
  #values: WebGLTexture | null = null;
  #marks: WebGLTexture | null = null;
  #columns: Columns | null = null;
  #field = "";
  #fresh = new Set<number>();
  #whole = true;

  readonly #unit: number;

  /** Values go to this texture unit, marks to the next. */
  constructor(unit: number) {
    this.#unit = unit;
  }

  /** Make the textures of a new or restored context; until something is shown they are a single empty column. */
  build(gl: WebGL2RenderingContext): void {
    this.#gl = gl;
    this.#whole = true;
    gl.activeTexture(gl.TEXTURE0 + this.#unit);
    this.#values = texture(gl);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, 1, 1, 0, gl.RED, gl.FLOAT, new Float32Array(1));
    gl.activeTexture(gl.TEXTURE0 + this.#unit + 1);
    this.#marks = texture(gl);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RG32I, 1, 1, 0, gl.RG_INTEGER, gl.INT, new Int32Array([-1, 0]));
  }

  /** Show another source, or another field of it. */
  show(columns: Columns, field: string): void {
    if (columns === this.#columns && field === this.#field) return;
    this.#columns = columns;
    this.#field = field;
    this.#whole = true;
  }

  /** A slot was written. */
  touch(slot: number): void {
    if (slot >= 0 && !this.#whole) this.#fresh.add(slot);
  }

  /** Many slots changed, e.g. by a rewind. */
  touchAll(): void {
    this.#whole = true;
  }

  /** Bring the card up to date; false when there is no such field. */
  bind(): boolean {
    const gl = this.#gl;
    const columns = this.#columns;
    const data = columns?.field(this.#field);
    if (!gl || !columns || !data) return false;
    if (this.#fresh.size > WHOLE_AFTER) this.#whole = true;
    const { rows, capacity } = columns;
    const fresh = this.#whole ? [] : stretches(this.#fresh);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 4);
    gl.activeTexture(gl.TEXTURE0 + this.#unit);
    gl.bindTexture(gl.TEXTURE_2D, this.#values);
    if (this.#whole) gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, rows, capacity, 0, gl.RED, gl.FLOAT, data);
    for (const [from, to] of fresh) {
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, from, rows, to - from, gl.RED, gl.FLOAT, data, from * rows);
    }
    gl.activeTexture(gl.TEXTURE0 + this.#unit + 1);
    gl.bindTexture(gl.TEXTURE_2D, this.#marks);
    if (this.#whole) {
      const all = marksOf(columns, 0, capacity);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RG32I, 1, capacity, 0, gl.RG_INTEGER, gl.INT, all);
    }
    for (const [from, to] of fresh) {
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, from, 1, to - from, gl.RG_INTEGER, gl.INT, marksOf(columns, from, to));
    }
    this.uploaded += this.#whole ? capacity : this.#fresh.size;
    this.#whole = false;
    this.#fresh.clear();
    return true;
  }
}
