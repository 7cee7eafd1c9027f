/** Pointer and keyboard on the map. */

import { MAIN_LAYERS, type Layer } from "../view/layers";
import type { Plot } from "../view/plot";
import { COLUMNS } from "../view/ink";
import type { Model } from "./model";

export interface InputHandlers {
  changed(): void;
  toggle(): void;
  follow(): void;
  layer(layer: Layer): void;
  log(): void;
  /** One bin on, while paused; false where the stream runs. */
  step(): boolean;
}

const DRAG_SLACK = 3;
const WHEEL = 0.0016;

/** Cell under the pointer, null outside the history and the axis. */
function pick(plot: Plot, x: number, y: number): { seq: number; tick: number } | null {
  const { camera } = plot;
  if (x < 0 || x >= camera.width || y < 0 || y >= camera.height) return null;
  return { seq: camera.seqAt(x), tick: camera.tickAt(y) };
}

export function listenPointer(plot: Plot, model: Model, handlers: InputHandlers): void {
  const { field, camera } = plot;
  let drag: { x: number; y: number; moved: boolean } | null = null;
  const place = (event: MouseEvent): [number, number] => {
    const box = field.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const onChrome = (event: Event): boolean => (event.target as Element).closest(".card, .notice, .warming") !== null;

  field.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || onChrome(event)) return;
    const [x, y] = place(event);
    drag = { x, y, moved: false };
    field.setPointerCapture(event.pointerId);
  });
  field.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    if (drag) {
      const dx = x - drag.x;
      const dy = y - drag.y;
      if (!drag.moved && Math.hypot(dx, dy) < DRAG_SLACK) return;
      drag = { x, y, moved: true };
      camera.pan(dx, dy);
      field.classList.add("dragging");
    }
    plot.cell = model.ring && !onChrome(event) ? pick(plot, x, y) : null;
    handlers.changed();
  });
  const drop = (): void => {
    drag = null;
    field.classList.remove("dragging");
  };
  field.addEventListener("pointerup", drop);
  field.addEventListener("pointercancel", drop);
  field.addEventListener("pointerleave", () => {
    if (drag) return;
    plot.cell = null;
    handlers.changed();
  });
  field.addEventListener("dblclick", (event) => {
    if (!onChrome(event)) handlers.follow();
  });
  field.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const [x, y] = place(event);
      const factor = Math.exp(-(event.deltaY || event.deltaX) * WHEEL);
      const onAxis = x > camera.width + plot.zoneWidth && x < camera.width + plot.zoneWidth + COLUMNS.axis;
      if (event.shiftKey || onAxis) camera.zoomPrice(factor, y);
      else {
        camera.zoomTime(factor, x);
        if (event.ctrlKey) camera.zoomPrice(factor, y);
      }
      handlers.changed();
    },
    { passive: false },
  );
}

/** Keys of the whole page; fields that take text keep theirs. */
export function listenKeys(plot: Plot, model: Model, handlers: InputHandlers): void {
  const move = (seqs: number, ticks: number): void => {
    const ring = model.ring;
    if (!ring || ring.last < 0) return;
    const from = plot.cell ?? { seq: ring.last + (seqs < 0 ? 1 : 0), tick: model.spotTick ?? Math.round(plot.camera.center) };
    if (seqs > 0 && from.seq >= ring.last && handlers.step()) {
      plot.cell = { seq: ring.last + 1, tick: from.tick };
      return;
    }
    const seq = Math.min(ring.last, Math.max(ring.first, from.seq + seqs));
    plot.cell = { seq, tick: from.tick + ticks };
    const [first, last] = plot.camera.seqSpan;
    if (seq < first || seq > last) plot.camera.pan((seq < first ? 1 : -1) * Math.abs(seq - (seq < first ? first : last)) * plot.camera.pxPerBin, 0);
  };
  const middle = (): [number, number] => [plot.camera.width / 2, plot.camera.height / 2];
  window.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    if (target.closest("input, select, textarea")) return;
    const onButton = target.closest("button, a") !== null;
    const far = event.shiftKey ? 10 : 1;
    const actions: Record<string, () => void> = {
      " ": () => handlers.toggle(),
      f: () => handlers.follow(),
      l: () => handlers.log(),
      ArrowLeft: () => move(-far, 0),
      ArrowRight: () => move(far, 0),
      ArrowUp: () => move(0, far),
      ArrowDown: () => move(0, -far),
      "+": () => plot.camera.zoomTime(1.25, middle()[0]),
      "=": () => plot.camera.zoomTime(1.25, middle()[0]),
      "-": () => plot.camera.zoomTime(0.8, middle()[0]),
      "[": () => plot.camera.zoomPrice(0.8, middle()[1]),
      "]": () => plot.camera.zoomPrice(1.25, middle()[1]),
      Escape: () => {
        plot.cell = null;
      },
    };
    const digit = MAIN_LAYERS[Number(event.key) - 1];
    if (digit) actions[event.key] = () => handlers.layer(digit);
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || (onButton && event.key === " ")) return;
    event.preventDefault();
    action();
    handlers.changed();
  });
}
