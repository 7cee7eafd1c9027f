/** The service's REST side: typed GETs, and its problems as readable errors. */

import type {
  Datasets, DatasetEntry, DatasetOverview, Problem, ServingEntry, ServingSpecs,
} from "../wire.generated";

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(message: string, status: number, code: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const TOKEN_KEY = "vp_api_token";

/** Token from `#token=…` (kept for the tab, then taken out of the address bar) or from the tab's storage. */
export function apiToken(): string | null {
  const fragment = new URLSearchParams(window.location.hash.slice(1));
  const given = fragment.get("token");
  if (given) {
    sessionStorage.setItem(TOKEN_KEY, given);
    history.replaceState(null, "", window.location.pathname + window.location.search);
  }
  return given ?? sessionStorage.getItem(TOKEN_KEY);
}

/** GET a JSON body; ApiError with status 0 when no service answers. */
export async function get<T>(path: string): Promise<T> {
  const token = apiToken();
  const headers: Record<string, string> = { accept: "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  let response: Response;
  try {
    response = await fetch(path, { headers });
  } catch {
    throw new ApiError(`no service answers at ${window.location.host}`, 0, "unreachable");
  }
  const text = await response.text();
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    const status = response.ok ? 502 : response.status;
    throw new ApiError(`${path} answered ${response.status} without JSON`, status, "unreachable");
  }
  if (!response.ok) {
    const problem = body as Partial<Problem> | null;
    const message = problem?.detail ?? problem?.title ?? `${path} answered ${response.status}`;
    throw new ApiError(message, response.status, problem?.code ?? "error");
  }
  return body as T;
}

export const getDatasets = (): Promise<Datasets> => get("/v1/datasets");
/** A whole capture in at most `points` points. */
export const getOverview = (id: string, points: number): Promise<DatasetOverview> =>
  get(`/v1/datasets/${encodeURIComponent(id)}/overview?points=${points}`);
export const getServing = (): Promise<ServingSpecs> => get("/v1/serving");

/** What to stream when nothing was asked for: the newest promoted spec, else the newest dataset, else null. */
export function pickStream(specs: readonly ServingEntry[], datasets: readonly DatasetEntry[]): URLSearchParams | null {
  const promoted = specs.filter((spec) => spec.origin === "promoted" && spec.can_stream).at(-1);
  if (promoted) return new URLSearchParams({ serving: promoted.name });
  const newest = [...datasets].sort((a, b) => (BigInt(a.end_ns) < BigInt(b.end_ns) ? 1 : -1)).at(0);
  if (newest) return new URLSearchParams({ dataset: newest.dataset_id });
  const authored = specs.find((spec) => spec.can_stream);
  return authored ? new URLSearchParams({ serving: authored.name }) : null;
}
