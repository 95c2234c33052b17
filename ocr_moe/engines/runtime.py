"""OpenVINO alone: imported as it comes, it also loads its model converter, which tells its maker over
the network that it was, and leaves files in the home folder."""

import sys

_CONVERTER = "openvino.tools.ovc"

if "openvino" in sys.modules or _CONVERTER in sys.modules:
    import openvino
else:
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]  # it is not there, to whoever imports it
    try:
        import openvino
    finally:
        del sys.modules[_CONVERTER]

__all__ = ["openvino"]
