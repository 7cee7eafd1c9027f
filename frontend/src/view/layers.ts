/** What the heatmap can show: a field of the ring with its palette, clip and scale. */

import type { Clip } from "../lib/scale";
import { GRID_FIELDS } from "../wire.generated";

export interface Layer {
  id: string;
  /** On its button, and over the legend. */
  label: string;
  title: string;
  unit: string;
  /** Field of the ring. */
  field: string;
  clip: Clip;
  /** Knee of the asinh scale; null: an eighth of the range. */
  x0: number | null;
  log: boolean;
}

/** pressure − vacuum, kept in the ring beside the wire's own fields. */
export const PV = "pressure_minus_vacuum";

const SIGNED: Clip = { diverging: true, lo: 0, hi: 0.99 };
const AMOUNT: Clip = { diverging: false, lo: 0, hi: 0.99 };
const DEPTH: Clip = { diverging: false, lo: 0.05, hi: 0.995 };
const FORCE_X0 = 1.5;
/** A low knee: books of 20 and of 30 lots must look different. */
const DEPTH_X0 = 12;

const layer = (
  id: string, label: string, title: string, unit: string, field: string, clip: Clip, x0: number | null, log: boolean,
): Layer => ({ id, label, title, unit, field, clip, x0, log });

export const MAIN_LAYERS: readonly Layer[] = [
  layer("pv", "P − V", "Pressure − vacuum", "lots/s", PV, SIGNED, FORCE_X0, true),
  layer("composite", "Composite", "Composite force", "", "composite", SIGNED, null, false),
  layer("flow", "Flow score", "Flow score", "", "flow_score", SIGNED, null, false),
  layer("depth", "Depth", "Resting depth", "lots", "rest_depth", DEPTH, DEPTH_X0, true),
  layer("add", "Add", "Liquidity added", "lots/s", "v_add", AMOUNT, FORCE_X0, true),
  layer("pull", "Pull", "Liquidity pulled", "lots/s", "v_pull", AMOUNT, FORCE_X0, true),
  layer("fill", "Fill", "Liquidity executed", "lots/s", "v_fill", AMOUNT, FORCE_X0, true),
];

const POSITIVE = /^(add|pull|fill)_mass$|^(pressure|vacuum)_variant$|^v_(add|pull|fill)$|^fill_size$/;
const SKIPPED = /_move_ticks$|_reprice_sign$|^chase_|^microstate_id$|^last_event_id$|^k$/;

function fieldLayer(name: string, unit: string, meaning: string): Layer {
  const title = meaning.charAt(0).toUpperCase() + meaning.slice(1);
  if (/^(rest|bid|ask)_depth$/.test(name)) return layer(name, name, title, unit, name, DEPTH, DEPTH_X0, true);
  const amount = POSITIVE.test(name);
  const force = unit.startsWith("lots/s");
  return layer(name, name, title, unit, name, amount ? AMOUNT : SIGNED, unit === "lots/s" ? FORCE_X0 : null, force);
}

/** Every field that differs from row to row; what is one value per bin is shown elsewhere. */
export const FIELD_LAYERS: readonly Layer[] = GRID_FIELDS.filter(({ name }) => !SKIPPED.test(name)).map(
  ({ name, unit, meaning }) => fieldLayer(name, unit, meaning),
);

const KINDS: readonly { name: string; test: RegExp }[] = [
  { name: "Forces", test: /_variant$|_mass$/ },
  { name: "Depth and trades", test: /_depth$|^fill_size$/ },
  { name: "Velocity", test: /^v_/ },
  { name: "Acceleration", test: /^a_/ },
  { name: "Jerk", test: /^j_/ },
];

/** The same by kind, for the menu: each field once, under the last kind that claims it. */
export const FIELD_GROUPS: readonly { name: string; layers: Layer[] }[] = [
  ...KINDS.map(({ name }, i) => ({ name, layers: FIELD_LAYERS.filter(({ field }) => kindOf(field) === i) })),
  { name: "Scores", layers: FIELD_LAYERS.filter(({ field }) => kindOf(field) < 0) },
];

function kindOf(field: string): number {
  return KINDS.findLastIndex(({ test }) => test.test(field));
}

/** Fields that the ring keeps. */
export const RING_FIELDS: readonly string[] = [PV, ...FIELD_LAYERS.map(({ field }) => field)];

/** A layer by its id, the default one for an unknown id. */
export function layerById(id: string | null): Layer {
  return [...MAIN_LAYERS, ...FIELD_LAYERS].find((entry) => entry.id === id) ?? MAIN_LAYERS[0];
}

/** Legend caption: how the ends of the range are found. */
export function clipCaption({ clip }: Layer): string {
  const p = (q: number): string => `p${Number((q * 100).toFixed(1))}`;
  if (clip.diverging) return `clipped at ±${p(clip.hi)} of view`;
  return clip.lo > 0 ? `${p(clip.lo)} to ${p(clip.hi)} of view` : `0 to ${p(clip.hi)} of view`;
}
