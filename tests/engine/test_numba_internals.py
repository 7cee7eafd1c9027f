"""What is relied on of numba's private parts. A failure here says what to look at after an update of numba."""

from __future__ import annotations

import inspect

from vp_engine import numba_internals


def test_cache_locator_when_numba_asks_it_then_by_these_methods() -> None:
    asked = {"from_function", "get_cache_path", "get_source_stamp", "get_disambiguator", "ensure_cache_path"}
    assert asked <= {name for name, _ in inspect.getmembers(numba_internals.CacheLocator)}


def test_index_file_when_it_names_a_piece_then_by_a_number() -> None:
    assert list(inspect.signature(numba_internals.IndexDataCacheFile._data_name).parameters) == ["self", "number"]


def test_config_when_it_is_set_then_has_these_fields() -> None:
    for field in ("CACHE_LOCATOR_CLASSES", "CACHE_DIR", "BOUNDSCHECK"):
        assert hasattr(numba_internals.numba_config, field), field


def test_other_locators_when_named_then_are_classes_of_numba() -> None:
    from numba.core import caching

    for name in numba_internals.OTHER_LOCATORS.split(","):
        assert hasattr(caching, name), name


def test_item_pointer_when_called_then_takes_these_arguments() -> None:
    parameters = list(inspect.signature(numba_internals.item_pointer).parameters)
    assert parameters[:5] == ["context", "builder", "aryty", "ary", "inds"]
    assert "wraparound" in parameters
