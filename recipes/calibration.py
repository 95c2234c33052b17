"""Fit the confidences that ship with ocr_moe, on certificates made for this alone.

    python -m recipes calibration

Generates the documents (another seed than data_samples), reads them with every expert that needs no
endpoint, fits, and tells the cross-fitted quality. A second start goes on where the first stopped.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import typer

from ocr_moe.cli.session import progress
from ocr_moe.formats.files import write_text
from ocr_moe.generation import generate
from ocr_moe.intake.sources import digest, discover
from ocr_moe.laboratory.calibrating import calibrate
from ocr_moe.laboratory.laboratory import open_run
from ocr_moe.laboratory.learning import today
from ocr_moe.routing.calibration import Provenance, to_yaml
from ocr_moe.run.batch import STORE, Batch
from ocr_moe.store.database import Store
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import config_folder, find_schema, load_config

STRATEGIES = ("rules", "moe")
TRUTH = "verified.xlsx"
FILE = "文件名"


@dataclass(frozen=True)
class Set:
    """Certificates to be drawn."""

    count: int
    seed: int
    levels: Sequence[str]
    """Damage levels, in turn."""
    layouts: Sequence[str] | None = None
    """Groups of layouts; None: the standard ones."""
    notices: float = 0.0
    """Share of pages with a notice printed all over them."""


LEVELS = ("clean", "scan", "photo", "photo", "hard", "hard")
"""Damage levels, in turn; the worse ones come twice, because errors are what there is to learn from."""
MORE = {
    "hard": Set(100, 777, ("hard",)),
    "damaged": Set(300, 4711, ("photo", "hard"), notices=0.05),
    "further": Set(120, 2718, ("scan", "photo", "hard"), layouts=("further",)),
}
"""More certificates: codes are hardly ever wrong on good scans, and those of other countries, registers
and English pages have absent fields, Latin names and numbers without a grammar."""
OUT = config_folder() / "calibration" / "default.yaml"


def main(
    out: Path = OUT,
    work: Path = Path("reports/calibration"),
    certificates: int = 200,
    licences: int = 120,
    seed: int = 90210,
) -> None:
    """Fit the confidences that ship, on certificates drawn for this alone (an hour or more)."""
    certificate, licence = "graduation_certificate", "business_license"
    scans = work / "scans"
    all_levels, licence_folder = scans / certificate, scans / licence
    sets = {
        all_levels: (certificate, Set(certificates, seed, LEVELS)),
        licence_folder: (licence, Set(licences, seed, LEVELS)),
    }
    more = {scans / name: (certificate, told) for name, told in MORE.items()}
    for folder, (schema, told) in (sets | more).items():
        if not (folder / TRUTH).is_file():
            generate(folder, schema=schema, **vars(told))
    config = load_config()
    workshop = Workshop(config)
    schemas = [find_schema(name) for name in (certificate, licence)]
    with (
        progress() as (report, notice),
        Batch(
            work / "run",
            workshop=workshop,
            strategies=[workshop.strategy(name) for name in STRATEGIES],
            schemas=schemas,
            notice=notice,
        ) as batch,
    ):
        batch.execute(discover([str(scans)]), report=report)
    with Store(work / "run" / STORE, write=False) as store:
        all_certificates = joined([all_levels, *more], work / TRUTH)
        laboratory = open_run(store, [all_certificates, licence_folder / TRUTH], config)
        layouts = layouts_of([*sets, *more])
        result = calibrate(
            laboratory.documents,
            {c.name: laboratory.calibrated(c) for c in laboratory.candidates()},
            judged=config.strategy,
            provenance=Provenance(
                data=f"made by ocr-moe generate: {certificates} certificates and {licences} business "
                f"licences of all damage levels, the worse two twice as often (seed {seed}), and "
                + " and ".join(
                    f"{told.count} certificates of {' and '.join(told.levels)} (seed {told.seed}"
                    + (f", layouts {', '.join(told.layouts)})" if told.layouts else ")")
                    for told in MORE.values()
                )
                + "; cross-fitted by layout",
                synthetic=True,
                documents=0,
                fitted=today(),
                seed=seed,
            ),
            groups=[layouts[document.sha256] for document in laboratory.documents],
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, to_yaml(result.calibration))
    for quality in result.calibration.quality.values():
        typer.echo(quality.verdict)
    typer.echo(str(out))


def joined(folders: list[Path], sheet: Path) -> Path:
    """The folders' verified sheets as one, with the folder before every file name."""
    parts = []
    for folder in folders:
        part = pd.read_excel(folder / TRUTH, dtype=str)
        part[FILE] = f"{folder.name}/" + part[FILE]
        parts.append(part)
    pd.concat(parts).to_excel(sheet, index=False)
    return sheet


def layouts_of(folders: list[Path]) -> dict[str, str]:
    """Hash of every generated image → its layout."""
    layouts = {}
    for folder in folders:
        for line in (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines():
            sample = json.loads(line)
            layouts[digest(folder / sample["file"])] = str(sample["layout"])
    return layouts


if __name__ == "__main__":
    typer.run(main)
