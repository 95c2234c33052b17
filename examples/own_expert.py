"""An expert of one's own beside the rules: python examples/own_expert.py [FOLDER] [OUT]"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import ocr_moe
from ocr_moe.protocols import Document, Services
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Reading, Value

ENTRY_POINT = "[ocr_moe.experts]\naddress = own_expert:AddressLine\n"  # a package's pyproject.toml
CONFIG = """experts: {address: {kind: address}}
strategies:
  address: {gate: {kind: fixed, default: [rules], fields: {住所: [address]}}, combiner: {kind: priority}}
"""


class AddressLine:
    class Params(Value):
        pattern: str = r"(?:.*?[所址场])?\W*(\w+?[市区县]\w*[号室幢栋楼层村区])$"

    def __init__(self, name: str, params: Params, services: Services) -> None:
        self.name, self.fingerprint = name, f"address-1 {params.pattern}"
        self._pattern = re.compile(params.pattern)

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        lines = [line.text for page in document.pages for line in page.text.lines]
        found = [match[1] for line in lines if (match := self._pattern.match(line))]
        value = max(found, key=len, default=None)
        readings = tuple(Reading(field=field.name, value=value) for field in fields)
        return Answer(expert=self.fingerprint, readings=readings)


def main(folder: str = "data_samples/business_license", out: str = "reports/own_expert") -> None:
    installed = Path(out, "site", "address-1.dist-info")  # what pip leaves behind
    installed.mkdir(parents=True, exist_ok=True)
    (installed / "entry_points.txt").write_text(ENTRY_POINT)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: address\nVersion: 1\n")
    sys.path.append(str(installed.parent))
    Path(out, "mine.yaml").write_text(CONFIG, encoding="utf-8")
    options = ocr_moe.Options(schema="business_license", config=Path(out, "mine.yaml"))
    sheet, compared = Path(folder, "verified.xlsx"), Path(out, "comparison")
    _, scores = ocr_moe.compare(
        [folder], sheet, out=compared, strategies=["rules", "address"], options=options
    )
    for name, score in scores.strategies.items():
        field = score.fields["住所"]
        print(f"{name}: {field.right}/{field.n} addresses right, {field.missing} missing")


if __name__ == "__main__":
    main(*sys.argv[1:])
