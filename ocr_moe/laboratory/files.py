"""What the laboratory leaves in the folder of a run: recommended.yaml, and a fitted calibration."""

from __future__ import annotations

from pathlib import Path

from ocr_moe.formats.files import write_text
from ocr_moe.formats.yamlfile import write_yaml
from ocr_moe.laboratory.recommending import Recommendation
from ocr_moe.routing.calibration import Calibration, to_yaml
from ocr_moe.workshop.config import Config

RECOMMENDED = "recommended.yaml"


def write_recommendation(folder: Path, recommended: Recommendation) -> Path:
    """Write the configuration of the policy, headed by what is promised. Raises OutputError."""
    write_text(folder / RECOMMENDED, recommended.to_yaml())
    return folder / RECOMMENDED


def write_refusal(folder: Path, why: str) -> None:
    """Write a configuration that changes nothing, and why no policy is recommended."""
    comment = " ".join(f"No policy is recommended: {why}".split())
    write_text(folder / RECOMMENDED, f"# {comment}\nstrategies: {{}}\n")


def write_calibration(folder: Path, calibration: Calibration, config: Config) -> list[Path]:
    """Write calibration.yaml (the model) and calibrated.yaml, configuration by which every strategy
    uses it. Raises OutputError.
    """
    fitted, overlay = folder / "calibration.yaml", folder / "calibrated.yaml"
    write_text(fitted, to_yaml(calibration))
    write_text(overlay, write_yaml(_overlay(config, fitted.absolute())))
    return [fitted, overlay]


def _overlay(config: Config, calibration: Path) -> dict[str, object]:
    """Configuration that makes every strategy use the calibration in a file."""
    return {
        "strategies": {
            name: {"combiner": {"kind": settings.combiner.kind, "calibration": str(calibration)}}
            for name, settings in config.strategies.items()
        }
    }
