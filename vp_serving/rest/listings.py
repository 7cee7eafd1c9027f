"""What there is in the lake as answers: datasets and serving specs, listed and one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vp_engine.errors import LakeError
from vp_engine.lake import DatasetInfo, open_dataset
from vp_engine.specs import ServingSpec, dump_yaml
from vp_engine.units import ns_to_et
from vp_serving.replay.catalog import ReplayCatalog
from vp_serving.rest import responses
from vp_serving.rest.overview import overview
from vp_serving.wire.query import stream_url


def datasets(catalog: ReplayCatalog, offset: int, limit: int) -> responses.Datasets:
    """A page of the datasets, newest capture first."""
    left_out: list[responses.LeftOut] = []

    def leave_out(name: str, error: LakeError) -> None:
        left_out.append(responses.LeftOut(name=name, reason=str(error)))

    infos = sorted(catalog.infos(leave_out), key=lambda info: info.capture.start_ns, reverse=True)
    page = infos[offset : offset + limit]
    end = offset + len(page)
    return responses.Datasets(
        datasets=[responses.DatasetEntry(**_dataset_fields(info)) for info in page],
        total=len(infos),
        offset=offset,
        next_offset=end if end < len(infos) else None,
        left_out=left_out,
    )


def dataset(catalog: ReplayCatalog, dataset_id: str) -> responses.DatasetDetail:
    """One dataset with its manifest; NotFoundError if there is none."""
    info = open_dataset(catalog.lake, dataset_id).info
    return responses.DatasetDetail(**_dataset_fields(info), manifest=_texts_of_int64(info.manifest))


def dataset_overview(catalog: ReplayCatalog, dataset_id: str, points: int) -> responses.DatasetOverview:
    """A dataset in at most `points` points; NotFoundError if there is none."""
    return overview(open_dataset(catalog.lake, dataset_id), points)


def serving_specs(catalog: ReplayCatalog, reason: Callable[[ServingSpec], str | None]) -> responses.ServingSpecs:
    """Every serving spec; `reason` says why one cannot be streamed, None if it can."""
    specs = catalog.specs()
    return responses.ServingSpecs(
        serving=[responses.ServingEntry(**_serving_fields(spec, reason(spec))) for spec in specs.serving.values()],
        skipped=[responses.SkippedSpec(name=name, reason=why) for name, why in (*specs.skipped, *specs.broken)],
    )


def serving_spec(
    catalog: ReplayCatalog, name: str, reason: Callable[[ServingSpec], str | None]
) -> responses.ServingDetail:
    """One serving spec; NotFoundError if there is none of this instrument."""
    spec = catalog.specs().serving[name]
    return responses.ServingDetail(
        **_serving_fields(spec, reason(spec)), spec=spec.model_dump(mode="json"), yaml=dump_yaml(spec)
    )


def _dataset_fields(info: DatasetInfo) -> dict[str, Any]:
    capture, config = info.capture, info.config
    start, end = ns_to_et(capture.start_ns), ns_to_et(capture.end_ns)
    return {
        "dataset_id": info.dataset_id,
        "address": info.address,
        "pipeline": info.pipeline,
        "product_type": config.product_type,
        "symbol": capture.symbol,
        "dt": capture.dt.isoformat(),
        "start_time": f"{start:%H:%M:%S}",
        "end_time": f"{end:%H:%M:%S}",
        "start_ns": str(capture.start_ns),
        "end_ns": str(capture.end_ns),
        "n_bins": info.n_bins,
        "rows": int(info.manifest["rows"]["grid"]),
        "bytes": sum(info.manifest["bytes"].values()),
        "streaming_url": stream_url(dataset=info.dataset_id),
    }


def _serving_fields(spec: ServingSpec, reason: str | None) -> dict[str, Any]:
    return {
        "name": spec.name,
        "description": spec.description,
        "origin": "authored" if spec.promoted is None else "promoted",
        "pipeline": spec.pipeline,
        "signal": spec.signal.name if spec.signal is not None else None,
        "threshold": spec.signal.threshold if spec.signal is not None else None,
        "can_stream": reason is None,
        "reason": reason,
        "streaming_url": stream_url(serving=spec.name),
    }


def _texts_of_int64(value: Any) -> Any:
    """Plain data with integers that JavaScript would round as decimal strings."""
    if isinstance(value, dict):
        return {key: _texts_of_int64(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts_of_int64(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return str(value)
    return value
