/** How a run leaves the page: as the address of its stream, as YAML, as a command. */

import { toYaml } from "../lib/yaml";
import type { RunDetail, RunRow } from "../wire.generated";

/** The run as a serving spec with the chosen threshold, or what is known of it when it carries none. */
export function detailYaml(detail: RunDetail, threshold: number | null): string {
  if (detail.yaml && threshold === detail.best_threshold) return detail.yaml;
  const { scoring, ...params } = detail.parameters;
  const signal = { name: detail.signal, params, threshold, cooldown_bins: detail.cooldown_bins };
  if (!detail.serving_spec) return toYaml({ run_id: detail.run_id, dataset_id: detail.dataset_id, signal, eval: detail.evaluation });
  const { promoted: _, ...spec } = detail.serving_spec;
  const merged = scoring ? { ...spec, scoring: { ...(spec.scoring as object), ...(scoring as object) } } : spec;
  return toYaml({ ...merged, name: `${detail.serving}_${detail.run_id.slice(0, 8)}`, signal });
}

/** Page that streams a run with a threshold, from a bin on where one is given. */
export function streamHref(runId: string, threshold: number | null, fromBin = 0): string {
  const query = new URLSearchParams({ run_id: runId });
  if (threshold !== null) query.set("threshold", String(threshold));
  if (fromBin > 0) query.set("from_bin", String(fromBin));
  return `vacuum-pressure.html?${query.toString()}`;
}

export function promoteCommand({ experiment, run_id, threshold }: Pick<RunRow, "experiment" | "run_id" | "threshold">): string {
  return `vp promote ${experiment} --run-id ${run_id} --threshold ${threshold}`;
}
