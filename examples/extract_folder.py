"""A folder of scans becomes a table, and a list of the cells that a person should check.

python examples/extract_folder.py [FOLDER] [OUT]
"""

import sys

import ocr_moe


def main(folder: str = "data_samples/business_license", out: str = "reports/extracted") -> None:
    run = ocr_moe.extract([folder], out=out)
    values, sure, statuses = run.to_frame().fillna(""), run.confidences(), run.statuses()
    print(values.to_string(max_colwidth=16))
    values.to_csv(run.folder / "values.csv", index=False)

    fields = [
        name for name in values.columns if name not in ("path", "page", "part", "schema", "error")
    ]
    doubtful = [
        (values["path"][row], field, values[field][row], sure[field][row])
        for row in values.index
        for field in fields
        if statuses[field][row] == "abstained"
    ]
    print(
        f"\n{len(values)} documents; {len(doubtful)} of {len(values) * len(fields)} cells to check"
    )
    for path, field, value, confidence in doubtful:
        print(f"  {path}  {field}: {value or 'nothing was read'} ({confidence:.2f})")
    for path, error in values.loc[values["error"] != "", ["path", "error"]].values:
        print(f"  {path} was not read: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
