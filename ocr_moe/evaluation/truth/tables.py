"""Reading Excel and CSV sheets as text, without believing what a spreadsheet did to the values.

A spreadsheet keeps numbers as doubles: of an 18-digit code typed as a number the last digits are
gone. Every cell therefore comes out as its text together with what may be wrong with it.
"""

from __future__ import annotations

from pathlib import Path

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth.cells import Table
from ocr_moe.evaluation.truth.delimited import read_delimited
from ocr_moe.evaluation.truth.workbooks import read_workbook

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_RECORDS = "records.xlsx"
_OPEN = "~$"
"""How the name of the file begins that Excel puts beside one that is open."""
_LARGEST = 256 * 2**20
"""Bytes of a file; verified sheets of 100,000 rows are a tenth of that."""


def read_tables(path: Path) -> tuple[Table, ...]:
    """All sheets of an .xlsx, .xlsm, .csv or .tsv file.

    Raises TruthError saying what the file is instead, or what to do, when it cannot be read.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise TruthError(f"{path}: is a device or pipe; an .xlsx or .csv file is wanted")
        if path.stat().st_size > _LARGEST:
            raise TruthError(
                f"{path}: larger than {_LARGEST // 2**20} MB, which no verified sheet is; "
                "keep the rows and columns that are needed"
            )
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise TruthError(f"{path}: there is no such file") from error
    except IsADirectoryError as error:
        what = "is a folder; an .xlsx or .csv file is wanted"
        if (path / _RECORDS).is_file():
            what = (
                f"is the folder of a run, not a verified sheet: give {_RECORDS} in it once somebody "
                "has checked it, or have a sheet to be checked written with `ocr-moe template`"
            )
        raise TruthError(f"{path}: {what}") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise TruthError(f"{path}: cannot be read ({error})") from error
    if path.name.startswith(_OPEN):
        raise TruthError(
            f"{path}: only says that {path.name.removeprefix(_OPEN)} is open in Excel; name that file"
        )
    if not data:
        raise TruthError(f"{path}: the file is empty")
    suffix = path.suffix.lower()
    if data.startswith(_OLE):
        raise TruthError(f"{path}: {_ole_sentence(data)}")
    if data.startswith(b"PK\x03\x04"):
        return read_workbook(path, data)
    if suffix in (".csv", ".tsv", ".txt"):
        return (read_delimited(path, data),)
    if suffix in (".xlsx", ".xlsm"):
        raise TruthError(f"{path}: is named like an Excel workbook but is not one")
    raise TruthError(f"{path}: {suffix or 'this kind of file'} is not supported; use .xlsx or .csv")


def _ole_sentence(data: bytes) -> str:
    if _ENCRYPTED in data:
        return "the workbook is protected by a password; save it without one"
    return "an old Excel file (.xls); open it in Excel and save it as .xlsx"
