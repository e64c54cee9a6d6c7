"""What a machine without CUDA gets where nothing else is set."""

from importlib.util import find_spec

from sttproject import env

EMBEDDED_PROFILE: dict[str, object] = {
    "whisper_model": "base",
    "device": "cpu",
    "compute_type": "int8",
    "max_estimated_server_total_ms": 6000.0,
    "result_timeout_s": 60.0,
    "max_final_wait_s": 240.0,
}
"""By the settings' fields."""


def embedded_profile() -> dict[str, object]:
    """The settings of the embedded profile that apply here: none with a GPU or when a GPU is asked for."""
    if cuda_devices() or (env.is_set("device") and env.load().device == "cuda"):
        return {}
    return {field: value for field, value in EMBEDDED_PROFILE.items() if not env.is_set(field)}


def cuda_devices() -> int:
    """How many CUDA devices CTranslate2 can use; 0 where it is not installed."""
    if not find_spec("ctranslate2"):
        return 0
    import ctranslate2  # heavy, and not part of a web-only installation

    return ctranslate2.get_cuda_device_count()
