/**
 * The heatmap on WebGL2. The shown field of the ring lives in a float texture; a new bin uploads one column, another
 * field uploads the whole ring once. After a lost context everything is built again from the ring.
 */

import type { Camera } from "../lib/camera";
import { LUT_SIZE, palette } from "../lib/colour";
import type { ColumnRing } from "../lib/ring";
import type { Scale } from "../lib/scale";
import { FRAGMENT, VERTEX } from "./shaders";

/** Past this many fresh columns one upload of all is cheaper. */
const WHOLE_AFTER = 192;

export class HeatmapError extends Error {}

interface Kit {
  gl: WebGL2RenderingContext;
  program: WebGLProgram;
  at: Map<string, WebGLUniformLocation | null>;
  values: WebGLTexture;
  marks: WebGLTexture;
  lut: WebGLTexture;
}

function compile(gl: WebGL2RenderingContext, kind: number, source: string): WebGLShader {
  const shader = gl.createShader(kind);
  if (!shader) throw new HeatmapError("the graphics context was lost");
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
    throw new HeatmapError(`shader: ${gl.getShaderInfoLog(shader) ?? "unknown error"}`);
  }
  return shader;
}

function texture(gl: WebGL2RenderingContext): WebGLTexture {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
  for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
  return made;
}

/** Bins the ring may hold on this machine: a slot is a texture row. */
export function maxColumns(wanted: number): number {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) throw new HeatmapError("this browser has no WebGL2; turn on hardware acceleration or use a current browser");
  const limit = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return Math.min(wanted, limit);
}

export class Heatmap {
  readonly #canvas: HTMLCanvasElement;
  #kit: Kit | null = null;
  #ring: ColumnRing | null = null;
  #field = "";
  #fresh: number[] = [];
  #whole = true;
  #table: Uint8Array | null = null;

  /** `onRestored` is called when the map must be drawn again after a lost context. */
  constructor(canvas: HTMLCanvasElement, onRestored: () => void) {
    this.#canvas = canvas;
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      this.#kit = null;
    });
    canvas.addEventListener("webglcontextrestored", () => {
      this.#kit = this.#build();
      this.#whole = true;
      onRestored();
    });
    this.#kit = this.#build();
  }

  #build(): Kit {
    const gl = this.#canvas.getContext("webgl2", { alpha: false, antialias: false });
    if (!gl) throw new HeatmapError("this browser has no WebGL2; turn on hardware acceleration or use a current browser");
    const program = gl.createProgram();
    gl.attachShader(program, compile(gl, gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(program, compile(gl, gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new HeatmapError(`shader program: ${gl.getProgramInfoLog(program) ?? "unknown error"}`);
    }
    this.#table = null;
    return { gl, program, at: new Map(), values: texture(gl), marks: texture(gl), lut: texture(gl) };
  }

  /** Show another ring, or another field of it. */
  show(ring: ColumnRing, field: string): void {
    if (ring === this.#ring && field === this.#field) return;
    this.#ring = ring;
    this.#field = field;
    this.#whole = true;
    this.#fresh = [];
  }

  /** A slot of the ring was written. */
  touch(slot: number): void {
    if (this.#fresh.length >= WHOLE_AFTER) this.#whole = true;
    else this.#fresh.push(slot);
  }

  /** Many slots changed, e.g. by a rewind. */
  touchAll(): void {
    this.#whole = true;
  }

  #marksOf(ring: ColumnRing, from: number, to: number): Int32Array {
    const marks = new Int32Array(2 * (to - from));
    for (let slot = from; slot < to; slot += 1) {
      marks[2 * (slot - from)] = ring.valid[slot] ? ring.seqs[slot] : -1;
      marks[2 * (slot - from) + 1] = ring.spotTick[slot];
    }
    return marks;
  }

  #upload({ gl, values, marks }: Kit, ring: ColumnRing): void {
    const { rows, capacity } = ring;
    const data = ring.field(this.#field);
    if (!data) return;
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 4);
    if (this.#whole) {
      gl.bindTexture(gl.TEXTURE_2D, values);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, rows, capacity, 0, gl.RED, gl.FLOAT, data);
      gl.bindTexture(gl.TEXTURE_2D, marks);
      const all = this.#marksOf(ring, 0, capacity);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RG32I, 1, capacity, 0, gl.RG_INTEGER, gl.INT, all);
    } else {
      gl.bindTexture(gl.TEXTURE_2D, values);
      for (const slot of this.#fresh) {
        gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, slot, rows, 1, gl.RED, gl.FLOAT, data, slot * rows);
      }
      gl.bindTexture(gl.TEXTURE_2D, marks);
      for (const slot of this.#fresh) {
        const one = this.#marksOf(ring, slot, slot + 1);
        gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, slot, 1, 1, gl.RG_INTEGER, gl.INT, one);
      }
    }
    this.#whole = false;
    this.#fresh = [];
  }

  #palette({ gl, lut }: Kit, table: Uint8Array): void {
    if (this.#table === table) return;
    this.#table = table;
    gl.bindTexture(gl.TEXTURE_2D, lut);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, LUT_SIZE, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, table);
  }

  /** Draw the ring through the camera; only the ground when there is none yet. */
  draw(camera: Camera, scale: Scale, dpr: number): void {
    const kit = this.#kit;
    if (!kit) return;
    const { gl, program } = kit;
    const width = Math.round(camera.width * dpr);
    const height = Math.round(camera.height * dpr);
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    gl.viewport(0, 0, width, height);
    const colours = palette();
    const ground = colours.ground.map((c) => c / 255);
    gl.clearColor(ground[0], ground[1], ground[2], 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const ring = this.#ring;
    if (!ring || ring.last < 0) return;
    this.#palette(kit, scale.diverging ? colours.diverging : colours.sequential);
    this.#upload(kit, ring);

    gl.useProgram(program);
    const at = (name: string): WebGLUniformLocation | null => {
      if (!kit.at.has(name)) kit.at.set(name, gl.getUniformLocation(program, name));
      return kit.at.get(name) ?? null;
    };
    [kit.values, kit.marks, kit.lut].forEach((bound, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, bound);
    });
    gl.uniform1i(at("values"), 0);
    gl.uniform1i(at("marks"), 1);
    gl.uniform1i(at("lut"), 2);
    gl.uniform2f(at("view"), width / dpr, height / dpr);
    gl.uniform1f(at("dpr"), dpr);
    const right = Math.floor(camera.right);
    gl.uniform1i(at("rightBin"), right);
    gl.uniform1f(at("rightPart"), camera.right - right);
    gl.uniform1f(at("pxPerBin"), camera.pxPerBin);
    const center = Math.floor(camera.center);
    gl.uniform1i(at("centerTick"), center);
    gl.uniform1f(at("centerPart"), camera.center - center);
    gl.uniform1f(at("pxPerTick"), camera.pxPerTick);
    gl.uniform2i(at("held"), ring.first, ring.last);
    gl.uniform1i(at("capacity"), ring.capacity);
    gl.uniform1i(at("rows"), ring.rows);
    gl.uniform1i(at("diverging"), scale.diverging ? 1 : 0);
    gl.uniform1i(at("logScale"), scale.log ? 1 : 0);
    gl.uniform1f(at("x0"), scale.x0);
    gl.uniform2f(at("range"), scale.lo, scale.hi);
    gl.uniform1i(at("pooled"), Math.max(1, Math.round(1 / (camera.pxPerBin * dpr))));
    gl.uniform3f(at("ground"), ground[0], ground[1], ground[2]);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.activeTexture(gl.TEXTURE0);
  }
}
