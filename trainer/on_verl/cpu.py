# mypy: disallow-subclassing-any=False, disallow-untyped-decorators=False
"""verl on a CPU: a platform, a rollout and three patches, without touching verl's files.

verl imports this module in every process for which :func:`trainer.on_verl.pin.cpu_environment` is
set. It leans on registries that are private and on the names inside modules, so it works with
exactly one version of verl and refuses others:

============================  ============================================  ===================
where in verl                 what it does by itself                        here
============================  ============================================  ===================
plugin/platform               knows nvidia, huawei and amd                  ``CpuPlatform``
utils/distributed.py          backend ``cpu:gloo,cpu:gloo``, an error       one ``cpu:gloo``
utils/model.py                a critic wants flash_attention_2              sdpa
workers/engine/fsdp           pins a reference model's weights, which only  not pinned
                              an accelerator can
workers/rollout               knows vllm, sglang and trtllm                 ``cpu_hf``
============================  ============================================  ===================

Ray has to be told that there is a GPU (``ray_init.num_gpus=1``), and the FSDP2 engine goes by the
name cuda. What this does not exercise: flash attention, NCCL, vLLM, more than one rank.
"""

from __future__ import annotations

import importlib
import os
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import ray
import torch
import verl.utils.distributed
import verl.utils.model
from torch.distributed.fsdp import CPUOffloadPolicy
from transformers import AutoModelForTokenClassification
from verl.plugin.platform.platform_base import PlatformBase
from verl.plugin.platform.platform_manager import PlatformRegistry
from verl.workers.rollout.base import _ROLLOUT_REGISTRY, BaseRollout
from verl.workers.rollout.replica import RolloutReplica, RolloutReplicaRegistry

from trainer.on_verl.names import ROLLOUT
from trainer.on_verl.pin import check_version
from trainer.on_verl.rollout import Server

__all__ = ["CpuPlatform", "CpuReplica", "ServerAdapter"]

_SERVER = "gccllm_rollout_{}"
_FIRST_PORT = 40_000


class _CpuDevice(types.ModuleType):
    """What verl asks of ``torch.cuda``: ``torch.cpu``'s answer, else zeros or nothing."""

    def __getattr__(self, name: str) -> Any:
        if hasattr(torch.cpu, name):
            return getattr(torch.cpu, name)
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "get_device_name":
            return lambda *a, **k: "CPU"
        if name == "mem_get_info":
            return lambda *a, **k: (0, 0)
        return (lambda *a, **k: 0) if "memory" in name else (lambda *a, **k: None)


@PlatformRegistry.register(platform="cpu")
class CpuPlatform(PlatformBase):
    """A single device without memory of its own."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = _CpuDevice("gccllm_cpu_device")

    def is_available(self) -> bool:
        return True

    def current_device(self) -> Any:
        return torch.device("cpu")

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        del device_index

    def synchronize(self, device_index: int | None = None) -> None:
        del device_index

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        del settings

    def empty_cache(self) -> None:
        pass

    def get_device_capability(self, device_index: int = 0) -> tuple[int | None, int | None]:
        del device_index
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return ["RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"]

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> None:
        return None

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        del msg
        yield

    def profiler_start(self) -> None:
        pass

    def profiler_stop(self) -> None:
        pass


class ServerAdapter(BaseRollout):
    """The trainer's end of the rollout: hands the actor's weights to the server."""

    def __init__(
        self, config: Any, model_config: Any, device_mesh: Any, replica_rank: int = -1
    ) -> None:
        super().__init__(config, model_config, device_mesh)
        del replica_rank
        self._name = _SERVER.format(int(os.environ["RANK"]))
        self._server: Any = None

    async def resume(self, tags: Sequence[str]) -> None:
        """Nothing was given back; see :meth:`release`."""

    async def release(self) -> None:
        """There is no accelerator whose memory others want."""

    async def update_weights(
        self,
        weights: Any,
        global_steps: int | None = None,
        wire_format: str = "named_tensors",
        **others: object,
    ) -> None:
        """Send (name, tensor) pairs. Raises ValueError for another wire format."""
        del others
        if wire_format != "named_tensors":
            raise ValueError(f"{ROLLOUT} takes whole tensors, not {wire_format}")
        sent = {name: x.detach().to("cpu", torch.float32).clone() for name, x in weights}
        if self._server is None:
            self._server = ray.get_actor(self._name)
        await self._server.load_weights.remote(sent, global_steps)


class CpuReplica(RolloutReplica):
    """One server process beside the trainer."""

    def rollout_worker_use_gpu(self) -> bool:
        return False

    async def launch_servers(self) -> None:
        """Start the server as a named Ray actor, which is how the adapter finds it."""
        remote = ray.remote(Server).options(
            name=_SERVER.format(self.replica_rank), num_cpus=0, max_concurrency=self.max_concurrency
        )
        path = getattr(self.model_config, "path", None) or self.model_config["path"]
        server = remote.remote(path, self.config.response_length, self.config.seed)
        await server.ready.remote()
        self.servers = [server]
        self._server_handle = server
        self._server_address = f"127.0.0.1:{_FIRST_PORT + self.replica_rank}"


def _value_model(
    local_path: str, torch_dtype: Any, model_config: Any, trust_remote_code: bool
) -> Any:
    """``verl.utils.model.load_valuehead_model`` with an attention that runs on a CPU."""
    return AutoModelForTokenClassification.from_pretrained(
        local_path,
        dtype=torch_dtype,
        config=model_config,
        attn_implementation="sdpa",
        trust_remote_code=trust_remote_code,
    )


def _process_group(
    original: Any, timeout_second: int | None = None, backend: str | None = None
) -> Any:
    return original(timeout_second, backend or "cpu:gloo")


def _offload_policy(**options: Any) -> CPUOffloadPolicy:
    return CPUOffloadPolicy(**{**options, "pin_memory": False})


def _replace(module: types.ModuleType, names: Mapping[str, Any]) -> None:
    """Patch names that have to be there. Raises AttributeError for one that is not."""
    for name, value in names.items():
        getattr(module, name)
        setattr(module, name, value)


def _install() -> None:
    check_version()
    _ROLLOUT_REGISTRY[(ROLLOUT, "async")] = f"{__name__}.{ServerAdapter.__name__}"
    RolloutReplicaRegistry.register(ROLLOUT, lambda: CpuReplica)
    group = "initialize_global_process_group_ray"
    original = getattr(verl.utils.distributed, group)
    _replace(verl.utils.distributed, {group: partial(_process_group, original)})
    _replace(verl.utils.model, {"load_valuehead_model": _value_model})
    # Asks for the platform when it is imported: not before it is known.
    engine = importlib.import_module("verl.workers.engine.fsdp.transformer_impl")
    _replace(engine, {"CPUOffloadPolicy": _offload_policy})


_install()
