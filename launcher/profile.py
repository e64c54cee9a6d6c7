"""What a machine gets where nothing else is set: by whether it has a CUDA device."""

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
"""Of a machine without one, by the settings' fields."""
GPU_PROFILE: dict[str, object] = {"whisper_model": "large-v3-turbo", "device": "cuda", "compute_type": "float16"}
"""Of a machine with one: the default model knows English only."""


def machine_profile() -> dict[str, object]:
    """The settings that take the place of defaults here: the GPU's where there is one or one is asked for."""
    asked = env.load().device if env.is_set("device") else ""
    on_gpu = asked == "cuda" if asked else cuda_devices() > 0
    chosen = GPU_PROFILE if on_gpu else EMBEDDED_PROFILE
    return {field: value for field, value in chosen.items() if not env.is_set(field)}


def cuda_devices() -> int:
    """How many CUDA devices CTranslate2 can use; 0 where it is not installed."""
    if not find_spec("ctranslate2"):
        return 0
    import ctranslate2  # heavy, and not part of a web-only installation

    return ctranslate2.get_cuda_device_count()
