"""The rewriting for simulators; that the logic stays the same is what every co-simulation shows."""

import re

import pytest
from accelerators import accelerator

from dfarray.hw.generate import TOP, generate
from dfarray.initial_weights import initial_weights
from dfarray.placement import to_banks
from dfarray.sim.simplify import simplify


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    directory = tmp_path_factory.mktemp("generated")
    config = accelerator([5, 6, 3], 3, 2, rounding="stochastic", error="softmax-cross-entropy")
    generate(config, initial_weights(config), directory)
    return config, (directory / "accelerator.v").read_text()


def modules(text: str) -> list[str]:
    return re.findall(r"^module (\\?[^\s(]+)", text, re.M)


def test_equal_lanes_become_one_module(generated):
    config, text = generated
    simple, _ = simplify(text, TOP)
    before = [name for name in modules(text) if re.search(r"lane_\d+$", name)]
    after = [name for name in modules(simple) if re.search(r"lane_\d+$", name)]
    # The bias tile's lane is another one.
    assert len(before) == config.array.tiles * config.array.lanes + 1
    assert len(after) == config.array.lanes + 1
    assert modules(simple)[-1] == TOP


def test_an_edited_lane_stays(generated):
    _, text = generated
    pattern = r"(module \S*tile_1\.lane_0 (?s:.*?)) - (\$signed\(rounded)"
    edited, edits = re.subn(pattern, r"\1 + \2", text, count=1)
    assert edits == 1
    assert len(modules(simplify(edited, TOP)[0])) > len(modules(simplify(text, TOP)[0]))


def test_bank_contents_are_taken_out(generated):
    config, text = generated
    simple, contents = simplify(text, TOP)
    banks, _ = to_banks(config, initial_weights(config))
    mask = (1 << config.formats.weight.width) - 1
    found = {item.path: [int(row, 16) for row in item.rows] for item in contents}
    for tile in range(config.array.tiles):
        for lane in range(config.array.lanes):
            rows = found["core", f"tile_{tile}", f"lane_{lane}", "bank", "memory"]
            assert rows[: len(banks)] == [int(word) & mask for word in banks[:, lane, tile]]
            assert not any(rows[len(banks) :])
    assert len(simple) < 0.7 * len(text)


REGISTER = r"""module top(clk, a);
  reg \$auto$verilog_backend.cc:1:dump_module$1 ;
  initial \$auto$verilog_backend.cc:1:dump_module$1 <= 0;
  reg [3:0] \$1 ;
  reg [3:0] x = 4'h0;
  always @(posedge clk)
    x <= \$1 ;
  always @* begin
    if (\$auto$verilog_backend.cc:1:dump_module$1 ) begin end
    \$1  = x;
    if (a) begin
      \$1  = { y[1], y[1], y[1:0] };
    end
  end
endmodule
"""


def test_next_values_move_to_their_registers():
    simple, _ = simplify(REGISTER, "top")
    assert "always @*" not in simple
    assert (
        "  always @(posedge clk) begin\n    if (a) begin\n      x  <= { {2{y[1]}}, y[1:0] };\n    end\n  end\n"
        in simple
    )


def test_a_next_value_that_something_else_reads_stays():
    read = REGISTER.replace("endmodule", "  assign z = \\$1 ;\nendmodule")
    simple, _ = simplify(read, "top")
    assert "always @*" in simple
    assert "x <= \\$1 ;" in simple
