"""Writes the averaged weights as the ONNX file that `ocr_moe` ships.

Weights are stored as 16-bit floats and cast back when the file is opened, which halves its size;
the computation stays in 32 bits.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from network import ALPHABET, HEIGHT, STRETCH, CodeLineNet, Probabilities
from onnx import TensorProto, helper, numpy_helper

LARGE = 1024  # elements; smaller tensors are not worth a cast


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its large weights stored in 16 bits."""
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < LARGE:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def export(checkpoint: Path, target: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)
    network = CodeLineNet()
    network.load_state_dict(state["average"])
    network.eval()
    torch.onnx.export(
        Probabilities(network),
        (torch.zeros(1, 3, HEIGHT, 320),),
        str(target),
        input_names=["lines"],
        output_names=["probabilities"],
        dynamic_axes={"lines": {3: "width"}, "probabilities": {1: "steps"}},
        opset_version=17,
        dynamo=False,
    )
    model = halved(onnx.load(str(target)))
    helper.set_model_props(
        model,
        {
            "alphabet": json.dumps(ALPHABET, ensure_ascii=False),
            "height": str(HEIGHT),
            "stretch": str(STRETCH),
            "seen": str(state["seen"]),
        },
    )
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    export(options.checkpoint, options.out)


if __name__ == "__main__":
    main()
