/**
 * The heatmap on WebGL2: the shown field of ring and coarse map as textures, colours mapped in the shader. After a lost
 * context everything is built again from the model's memory.
 */

import type { Camera } from "../lib/camera";
import type { CoarseMap } from "../lib/coarse";
import { LUT_SIZE, palette } from "../lib/colour";
import { setStyle } from "../lib/dom";
import type { Columns, ColumnRing } from "../lib/ring";
import type { Scale } from "../lib/scale";
import { ColumnTexture } from "./columnTexture";
import { FRAGMENT, VERTEX } from "./shaders";

export class HeatmapError extends Error {}

const UNIT = { lut: 0, ring: 1, coarse: 3 } as const;

interface Kit {
  gl: WebGL2RenderingContext;
  program: WebGLProgram;
  lut: WebGLTexture;
  at: Map<string, WebGLUniformLocation | null>;
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

/** Columns a source may hold on this machine: a slot is a texture row. */
export function maxColumns(wanted: number): number {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) throw new HeatmapError("this browser has no WebGL2; turn on hardware acceleration or use a current browser");
  const limit = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return Math.min(wanted, limit);
}

export class Heatmap {
  readonly #canvas: HTMLCanvasElement;
  readonly #fine = new ColumnTexture(UNIT.ring);
  readonly #far = new ColumnTexture(UNIT.coarse);
  #kit: Kit | null = null;
  #ring: ColumnRing | null = null;
  #coarse: CoarseMap | null = null;
  #field = "";
  #table: Uint8Array | null = null;

  /** `onChange` is called when the context was lost and when the map can be drawn again. */
  constructor(canvas: HTMLCanvasElement, onChange: () => void) {
    this.#canvas = canvas;
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      this.#kit = null;
      onChange();
    });
    canvas.addEventListener("webglcontextrestored", () => {
      this.#kit = this.#build();
      onChange();
    });
    this.#kit = this.#build();
  }

  /** The browser took the graphics context away and has not given it back yet. */
  get lost(): boolean {
    return this.#kit === null;
  }

  /** Columns sent to the graphics card so far. */
  get uploaded(): number {
    return this.#fine.uploaded + this.#far.uploaded;
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
    const lut = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + UNIT.lut);
    gl.bindTexture(gl.TEXTURE_2D, lut);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
    this.#table = null;
    this.#fine.build(gl);
    this.#far.build(gl);
    return { gl, program, lut, at: new Map() };
  }

  /** Show another capture, or another field of it. */
  show(ring: ColumnRing, coarse: CoarseMap, field: string): void {
    this.#ring = ring;
    this.#coarse = coarse;
    this.#field = field;
    this.#fine.show(ring, field);
    this.#far.show(coarse, field);
  }

  /** A slot of the ring and a column of the coarse map were written. */
  touch(slot: number, column: number): void {
    this.#fine.touch(slot);
    this.#far.touch(column);
  }

  /** Many columns changed, e.g. by a rewind. */
  touchAll(): void {
    this.#fine.touchAll();
    this.#far.touchAll();
  }

  /** Draw through the camera; only the ground when there is nothing yet. */
  draw(camera: Camera, scale: Scale, dpr: number): void {
    const kit = this.#kit;
    if (!kit) return;
    const { gl, program } = kit;
    const raster = camera.raster(dpr);
    const { columns, rows, pooled } = raster;
    if (this.#canvas.width !== columns || this.#canvas.height !== rows) {
      this.#canvas.width = columns;
      this.#canvas.height = rows;
    }
    const place = `translate(${raster.x}px, ${raster.y}px) scale(${raster.columnPx}, ${raster.rowPx})`;
    setStyle(this.#canvas, "transform", place);
    gl.viewport(0, 0, columns, rows);
    const colours = palette();
    const ground = colours.ground.map((c) => c / 255);
    gl.clearColor(ground[0], ground[1], ground[2], 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const ring = this.#ring;
    const coarse = this.#coarse;
    if (!ring || !coarse || ring.last < 0) return;
    this.#lut(kit, scale.diverging ? colours.diverging : colours.sequential);
    if (!this.#fine.bind()) return;
    const far = coarse.has(this.#field) && (pooled >= coarse.group || camera.seqSpan[0] < ring.first);
    if (far) this.#far.bind();

    gl.useProgram(program);
    const at = (name: string): WebGLUniformLocation | null => {
      if (!kit.at.has(name)) kit.at.set(name, gl.getUniformLocation(program, name));
      return kit.at.get(name) ?? null;
    };
    const held = (name: string, columns: Columns, there: boolean): void =>
      gl.uniform4i(at(name), columns.first, columns.last, there ? columns.capacity : 0, columns.rows);
    gl.uniform1i(at("lut"), UNIT.lut);
    gl.uniform1i(at("values"), UNIT.ring);
    gl.uniform1i(at("marks"), UNIT.ring + 1);
    gl.uniform1i(at("coarseValues"), UNIT.coarse);
    gl.uniform1i(at("coarseMarks"), UNIT.coarse + 1);
    held("ring", ring, true);
    held("coarse", coarse, far);
    gl.uniform1i(at("group"), coarse.group);
    gl.uniform2i(at("firstCell"), raster.first, raster.top);
    gl.uniform1i(at("cellRows"), rows);
    gl.uniform1i(at("viewColumns"), columns);
    gl.uniform1f(at("columnBins"), raster.columnPx / camera.pxPerBin);
    const right = Math.floor(camera.right);
    gl.uniform1i(at("rightBin"), right);
    gl.uniform1f(at("rightPart"), camera.right - right);
    gl.uniform1i(at("diverging"), scale.diverging ? 1 : 0);
    gl.uniform1i(at("logScale"), scale.log ? 1 : 0);
    gl.uniform1f(at("x0"), scale.x0);
    gl.uniform2f(at("range"), scale.lo, scale.hi);
    gl.uniform1i(at("pooled"), pooled);
    gl.uniform3f(at("ground"), ground[0], ground[1], ground[2]);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #lut({ gl, lut }: Kit, table: Uint8Array): void {
    if (this.#table === table) return;
    this.#table = table;
    gl.activeTexture(gl.TEXTURE0 + UNIT.lut);
    gl.bindTexture(gl.TEXTURE_2D, lut);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, LUT_SIZE, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, table);
  }
}
