"""What is relied on of Dagster's private parts. A failure here says what to look at after an update of Dagster."""

from __future__ import annotations

import importlib
import inspect

from vp_assets import dagster_internals


def test_launcher_when_subclassed_then_has_the_methods_that_are_overridden() -> None:
    for name in ("launch_run", "terminate"):
        assert callable(getattr(dagster_internals.RunLauncher, name))
    for name in ("inst_data", "config_type", "from_config_value"):
        assert hasattr(dagster_internals.ConfigurableClass, name)


def test_launch_context_when_a_run_starts_then_names_run_and_code() -> None:
    assert {"dagster_run", "job_code_origin"} <= set(dir(dagster_internals.LaunchRunContext))


def test_run_arguments_when_built_then_take_origin_run_and_instance() -> None:
    parameters = list(inspect.signature(dagster_internals.ExecuteRunArgs).parameters)
    assert parameters[:3] == ["job_origin", "run_id", "instance_ref"]


def test_run_arguments_when_serialised_then_the_command_line_reads_them() -> None:
    command = importlib.import_module(dagster_internals.API_CLI_MODULE).api_cli.commands["execute_run"]
    assert command.params[0].name == "input_json"


def test_engine_event_when_in_process_then_takes_the_process_id() -> None:
    assert dagster_internals.EngineEventData.in_process(1).metadata


def test_data_version_tag_when_a_materialisation_is_read_then_has_this_name() -> None:
    assert dagster_internals.DATA_VERSION_TAG == "dagster/data_version"
