"""Fitted models: replayed from their bytes they give the predictions of training, and nothing foreign is let in."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from ml_kit import CONFIG, FIRST, NAMES, QUICK, STEP, learn, ml_block, speak

from vp_engine.errors import ConfigError, LakeError, NotFoundError
from vp_engine.lake import Lake
from vp_engine.lake.manifests import sealed
from vp_engine.lake.models import models_address, models_dir, open_models, writing_models
from vp_engine.signals import get_signal, make_signal
from vp_engine.signals.ml import Refits
from vp_engine.signals.ml.models import Components, Hyperplane, LightGbm, Neighbours, XgBoost

DATASET = "cd" * 32


def decoded(name: str, refits) -> Refits:
    """The models after a journey through their bytes."""
    kind = get_signal(name).model_type
    return Refits([refit._replace(model=kind.decode(refit.model.encode())) for refit in refits])


def kept(lake: Lake, name: str, refits) -> str:
    """Models in a lake; their address."""
    address = models_address(name, QUICK[name], DATASET)
    with writing_models(lake, address, name, QUICK[name], DATASET) as (keep, _):
        for refit in refits:
            keep(refit)
    return address


@pytest.mark.parametrize("name", NAMES)
def test_models_replay_the_predictions_of_training(name, tmp_path):
    block = ml_block(21)
    trained, refits = learn(name, block)
    assert speak(name, block, decoded(name, refits)).tobytes() == trained.tobytes()
    lake = Lake(tmp_path)
    stored = open_models(lake, kept(lake, name, refits), name)
    assert len(stored) == len(refits)
    for size in (1, 41, 10_000):
        assert speak(name, block, stored, size).tobytes() == trained.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_on_a_later_day_the_last_model_speaks(name):
    _, refits = learn(name, ml_block(22))
    later = ml_block(23, 200, day=1)
    values = speak(name, later, decoded(name, refits))
    assert values.tobytes() == speak(name, later, decoded(name, refits[-1:]), 13).tobytes()
    valid = later.bins["book_valid"] != 0
    warm = np.flatnonzero(valid)[FIRST]
    assert np.isnan(values[:warm]).all()
    assert np.isfinite(values[warm:][valid[warm:]]).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_silent_about_the_time_it_was_trained_on(name):
    block = ml_block(24)
    trained, refits = learn(name, block)
    earlier = ml_block(25, 200, day=-1)
    assert np.isnan(speak(name, earlier, Refits(refits))).all()
    second = speak(name, block, Refits(refits[1:]))
    assert np.isnan(second[: refits[1].bin_seq]).all()
    if name != "pca_ad":  # whose z remembers what was said before
        assert second[refits[1].bin_seq :].tobytes() == trained[refits[1].bin_seq :].tobytes()


def test_no_models_no_predictions():
    assert np.isnan(speak("svm_sp", ml_block(26, 200), Refits([]))).all()


def test_models_come_before_the_first_bin():
    signal = make_signal("svm_sp", QUICK["svm_sp"], CONFIG)
    signal.update(ml_block(26, 20))
    with pytest.raises(ConfigError, match="before the first bin"):
        signal.use_models(Refits([]))
    with pytest.raises(ConfigError, match="`derivative` learns nothing"):
        make_signal("derivative", {}, CONFIG, Refits([]))


def test_models_of_another_signal_are_refused():
    block = ml_block(27)
    for giver, taker in (("lsvm_der", "svm_sp"), ("pca_ad", "svm_sp"), ("gbm_mf", "xgb_snap")):
        _, refits = learn(giver, block)
        with pytest.raises(ConfigError, match=f"`{taker}` reads"):
            speak(taker, block, Refits(refits))


class Evil:
    """Something whose reading would run code."""

    def __reduce__(self):
        return (print, ("run",))


def skops_with_foreign_type() -> bytes:
    """A pipeline with a step that skops has no reason to trust."""
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from skops.io import dumps

    class Foreign(BaseEstimator):
        pass

    Foreign.__module__, Foreign.__qualname__ = __name__, "Foreign"
    globals()["Foreign"] = Foreign
    return dumps(Pipeline([("scaler", StandardScaler().fit(np.eye(3))), ("estimator", Foreign())]))


def skops_unfitted() -> bytes:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC
    from skops.io import dumps

    return dumps(Pipeline([("scaler", StandardScaler()), ("estimator", LinearSVC())]))


@pytest.mark.parametrize("kind", [Hyperplane, Neighbours, Components, LightGbm, XgBoost])
@pytest.mark.parametrize("content", [b"", b"tree\n", b"{", pickle.dumps(1), pickle.dumps(Evil()), b"PK\x03\x04"])
def test_what_is_no_model_is_refused(kind, content, capsys):
    with pytest.raises(LakeError) as caught:
        kind.decode(content)
    assert "\n" not in str(caught.value)
    assert "run" not in capsys.readouterr().out.split()


def test_types_that_are_not_trusted_are_refused():
    with pytest.raises(LakeError, match="not trusted"):
        Hyperplane.decode(skops_with_foreign_type())


def test_a_pickle_inside_an_archive_is_refused():
    """skops keeps what it cannot take apart as a pickle behind a node that must be trusted by name."""
    source = zipfile.ZipFile(io.BytesIO(learn("svm_sp", ml_block(28))[1][0].model.encode()))
    schema = json.loads(source.read("schema.json"))
    schema["__class__"], schema["__module__"], schema["__loader__"] = "system", "os", "FunctionNode"
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as target:
        for entry in source.namelist():
            target.writestr(entry, json.dumps(schema) if entry == "schema.json" else source.read(entry))
    with pytest.raises(LakeError):
        Hyperplane.decode(forged.getvalue())


def test_models_of_another_kind_or_never_fitted_are_refused():
    block = ml_block(29)
    with pytest.raises(LakeError, match="another kind than Hyperplane"):
        Hyperplane.decode(learn("pca_ad", block)[1][0].model.encode())
    with pytest.raises(LakeError, match="another kind than Components"):
        Components.decode(learn("knn_cl", block)[1][0].model.encode())
    with pytest.raises(LakeError, match="never fitted"):
        Hyperplane.decode(skops_unfitted())


def test_the_lake_hands_out_what_was_put_in_and_nothing_else(tmp_path):
    lake = Lake(tmp_path)
    _, refits = learn("gbm_mf", ml_block(30))
    address = kept(lake, "gbm_mf", refits)
    folder = lake.path(models_dir(address))
    manifest = lake.read_json(folder / "manifest.json")
    assert [refit["bin_seq"] for refit in manifest["refits"]] == [refit.bin_seq for refit in refits]
    assert manifest["dataset_address"] == DATASET
    assert manifest["libraries"]["lightgbm"]
    lake.verify_dir(folder)
    with pytest.raises(ConfigError, match="are of signal `gbm_mf`"):
        open_models(lake, address, "xgb_snap")
    with pytest.raises(NotFoundError, match="promote the run again"):
        open_models(lake, "ef" * 32, "gbm_mf")
    with pytest.raises(ConfigError, match="64 hex digits"):
        open_models(lake, "../../" + "ef" * 29, "gbm_mf")
    file = folder / manifest["refits"][1]["file"]
    file.write_bytes(file.read_bytes().replace(b"tree", b"tred", 1))
    stored = open_models(lake, address, "gbm_mf")
    assert stored.model(0).n_features == 53
    with pytest.raises(LakeError, match="differs from its manifest"):
        stored.model(1)


@pytest.mark.parametrize("change", [{"kind": "dataset"}, {"refits": [{"file": "../x", "sha256": "", "since_ns": 0}]}])
def test_a_manifest_that_is_none_is_refused(tmp_path, change):
    lake = Lake(tmp_path)
    address = kept(lake, "svm_sp", learn("svm_sp", ml_block(31))[1])
    path = lake.path(models_dir(address)) / "manifest.json"
    path.write_bytes(sealed({**lake.read_manifest(path), **change}))
    with pytest.raises(LakeError, match="not the manifest of models"):
        open_models(lake, address, "svm_sp")


def test_models_of_another_version_are_refused(tmp_path, monkeypatch):
    lake = Lake(tmp_path)
    address = kept(lake, "svm_sp", learn("svm_sp", ml_block(32))[1])
    monkeypatch.setattr(get_signal("svm_sp"), "code_version", "next")
    with pytest.raises(LakeError, match="another version"):
        open_models(lake, address, "svm_sp")
    assert models_address("svm_sp", QUICK["svm_sp"], DATASET) != address


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    lake = Lake(tmp_path)
    address = models_address("svm_sp", QUICK["svm_sp"], DATASET)
    _, refits = learn("svm_sp", ml_block(33))

    def broken() -> None:
        with writing_models(lake, address, "svm_sp", QUICK["svm_sp"], DATASET) as (keep, read):
            keep(refits[0])
            assert len(read()) == 1
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        broken()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    with pytest.raises(NotFoundError):
        open_models(lake, address, "svm_sp")


def test_an_address_covers_signal_parameters_and_data():
    params = QUICK["svm_sp"]
    addresses = {
        models_address("svm_sp", params, DATASET),
        models_address("svm_sp", {**params, "c": 0.2}, DATASET),
        models_address("knn_cl", params, DATASET),
        models_address("svm_sp", params, "ab" * 32),
    }
    assert len(addresses) == 4
    assert models_address("derivative", {}, DATASET) is None


def test_the_kernels_repeat_the_libraries():
    """The row-by-row kernels compute what scikit-learn does."""
    block = ml_block(34)
    rng = np.random.default_rng(0)
    for name in ("svm_sp", "lsvm_der", "knn_cl", "pca_ad"):
        model = learn(name, block)[1][-1].model
        rows = rng.normal(size=(40, model.n_features)).astype(np.float32)
        scaled = model.pipeline.steps[0][1].transform(rows.astype(np.float64))
        estimator = model.estimator
        found = model.predict(rows)
        if name == "knn_cl":
            up = list(estimator.classes_).index(1)
            share = estimator.predict_proba(scaled.astype(np.float32))[:, up]
            assert found == pytest.approx(2 * share - 1, abs=1e-3)
        elif name == "pca_ad":
            scores = estimator.transform(scaled)
            away = np.sqrt((scores**2 / estimator.explained_variance_).sum(axis=1))
            left = np.linalg.norm(scaled - estimator.inverse_transform(scores), axis=1)
            assert found == pytest.approx(np.stack([left, away, scores[:, 0]], axis=1), rel=1e-6, abs=1e-9)
        else:
            assert found == pytest.approx(estimator.decision_function(scaled), rel=1e-9, abs=1e-9)


def test_boosters_give_the_probabilities_of_their_libraries():
    import lightgbm
    import xgboost

    block = ml_block(35)
    rng = np.random.default_rng(0)
    for name in ("gbm_mf", "xgb_snap"):
        model = learn(name, block)[1][-1].model
        rows = rng.normal(size=(40, model.n_features)).astype(np.float32)
        if name == "gbm_mf":
            theirs = lightgbm.Booster(model_str=model.encode().decode()).predict(rows)
        else:
            booster = xgboost.Booster()
            booster.load_model(bytearray(model.encode()))
            theirs = booster.predict(xgboost.DMatrix(rows))
        assert model.predict(rows) == pytest.approx(theirs, rel=1e-6)
    assert STEP < FIRST
