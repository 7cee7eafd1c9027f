/** What the keys of the stream page do. */

import { SPEEDS } from "../lib/query";
import { type Layer, MAIN_LAYERS } from "../view/layers";
import type { Plot } from "../view/plot";
import { moveCell } from "./input";
import type { KeyHandlers } from "./keys";
import type { Model } from "./model";
import type { Player } from "./player";

const ZOOM = 1.25;
const JUMP_S = 30;

interface Openable {
  readonly open: boolean;
  toggle(open?: boolean): void;
}

export interface Actions {
  wake(): void;
  player: Player;
  follow(): void;
  setSpeed(speed: number): void;
  setLayer(layer: Layer): void;
  setLog(log: boolean): void;
  palette(): void;
  strip(): void;
  panel(): void;
  fields: Openable;
  view: Openable;
  help: Openable;
}

/** The speed `by` steps from this one, slowest to fastest; 0, as fast as can be read, is the last. */
export function nextSpeed(speed: number, by: number): number {
  const order = [...SPEEDS].sort((a, b) => (a || Number.POSITIVE_INFINITY) - (b || Number.POSITIVE_INFINITY));
  const at = order.findIndex((entry) => entry === speed);
  return order[Math.min(order.length - 1, Math.max(0, (at < 0 ? 1 : at) + by))];
}

export function keyHandlers(plot: Plot, model: Model, actions: Actions): KeyHandlers {
  const { camera } = plot;
  const { player } = actions;
  const drawn = (act: () => void) => (): void => {
    act();
    actions.wake();
  };
  const cell = (seqs: number, ticks: number) => (event: KeyboardEvent): void => {
    const far = event.shiftKey ? 10 : 1;
    moveCell(plot, model, far * seqs, far * ticks, () => player.step());
    actions.wake();
  };
  const time = (factor: number): (() => void) => drawn(() => camera.zoomTime(factor, camera.follow ? camera.width : camera.width / 2));
  const price = (factor: number): (() => void) => drawn(() => camera.zoomPrice(factor, camera.height / 2));
  const layer = (i: number) => (): void => actions.setLayer(MAIN_LAYERS[i]);
  return {
    toggle: () => player.toggle(),
    back: () => player.jump(-JUMP_S),
    ahead: () => player.jump(JUMP_S),
    slower: () => actions.setSpeed(nextSpeed(player.speed, -1)),
    faster: () => actions.setSpeed(nextSpeed(player.speed, 1)),
    start: () => player.seek(0),
    reconnect: () => player.reconnect(),
    follow: () => actions.follow(),
    whole: drawn(() => camera.frame(0, model.session.nBins)),
    left: cell(-1, 0),
    right: cell(1, 0),
    up: cell(0, 1),
    down: cell(0, -1),
    timeIn: time(ZOOM),
    timeOut: time(1 / ZOOM),
    priceIn: price(ZOOM),
    priceOut: price(1 / ZOOM),
    layer1: layer(0), layer2: layer(1), layer3: layer(2), layer4: layer(3), layer5: layer(4), layer6: layer(5), layer7: layer(6),
    fields: () => actions.fields.toggle(),
    log: () => actions.setLog(!plot.scale.log),
    palette: () => actions.palette(),
    strip: () => actions.strip(),
    panel: () => actions.panel(),
    view: () => actions.view.toggle(),
    theme: () => undefined, // its button listens for itself
    help: () => actions.help.toggle(),
    close: drawn(() => {
      if (actions.help.open) actions.help.toggle(false);
      else if (actions.fields.open) actions.fields.toggle(false);
      else if (actions.view.open) actions.view.toggle(false);
      else plot.clearCell();
    }),
  };
}
