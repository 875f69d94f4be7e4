"""Tests of the Python module. Run by tools/python; those with torch are skipped where torch is not."""

import contextlib
import io
import pathlib
import re
import unittest

import numpy as np
import polder

try:
    import torch
except ImportError:
    torch = None


def bowl(x):
    """sum (x - 1)^2 + x_0^4 and its gradient."""
    gradient = 2 * (x - 1)
    gradient[0] += 4 * x[0] ** 3
    return float(np.sum((x - 1) ** 2) + x[0] ** 4), gradient


def example_of_page(section):
    """The first block of code of a section of docs/python.md."""
    page = pathlib.Path(__file__).parent.parent / "docs" / "python.md"
    return re.search(rf"^## {section}$.*?^```python$(.*?)^```$", page.read_text(), re.M | re.S).group(1)


class WithNumpy(unittest.TestCase):
    def test_steps_in_place(self):
        # With a rate at which 100 steps do not arrive: at the minimum SAM jumps to and fro, and float32 and float64 part.
        for dtype, tolerance in ((np.float32, 1e-6), (np.float64, 1e-13)):
            x = np.linspace(-1, 2, 5).astype(dtype)
            expected = x.astype(np.float64)
            memory = x.ctypes.data
            optimizer = polder.make("sam", base="sgd", rho=0.1, learning_rate=0.002)
            for _ in range(100):
                report = optimizer.step(x, lambda: bowl(x))
                _, g = bowl(expected)
                _, s = bowl(expected + 0.1 * g / np.linalg.norm(g))
                expected -= 0.002 * s
            self.assertEqual(x.ctypes.data, memory)
            np.testing.assert_allclose(x, expected, rtol=0, atol=tolerance)
            self.assertEqual(report["evaluations"], 2)
            self.assertEqual(optimizer.steps, 100)

    def test_every_method_steps_a_nest(self):
        for name in polder.methods():
            with self.subTest(name):
                x = {"w": np.ones((2, 3)), "more": [np.full(4, 2.0), np.array(3.0)]}

                def closure(at):
                    del at
                    gradient = {"w": x["w"].copy(), "more": [a.copy() for a in x["more"]]}
                    return sum(float(np.sum(a * a)) for a in (x["w"], *x["more"])) / 2, gradient

                optimizer = polder.make(name)
                before = closure(None)[0]
                for _ in range(3):
                    optimizer.step(x, closure)
                self.assertLess(closure(None)[0], before)

    def test_passes(self):
        passes = []
        x = np.ones(3)

        def closure(at):
            passes.append((at.batch, at.perturbed))
            return bowl(x)

        polder.make("BSAM+", rho=0.1, distance="cosine").step(x, closure)
        self.assertEqual(passes, [(0, False), (0, True), (1, False)])

    def test_a_default_is_not_for_the_pass(self):
        x, batch = np.ones(3), "first"

        def closure(batch=batch):
            self.assertEqual(batch, "first")
            return bowl(x)

        polder.make("sam").step(x, closure)

    def test_state(self):
        x, y = np.ones(4), np.zeros(4)
        a, b = (polder.make("bsam", base="adam", learning_rate=0.1) for _ in range(2))
        for _ in range(5):
            a.step(x, lambda: bowl(x))
        y[:] = x
        b.load_state(a.state(x), y)
        for _ in range(5):
            a.step(x, lambda: bowl(x))
            b.step(y, lambda: bowl(y))
        np.testing.assert_array_equal(x, y)
        with self.assertRaises(RuntimeError):
            polder.make("sam").load_state(a.state(x), x)

    def test_state_is_the_same_bit_for_bit(self):
        for dtype in (np.float32, np.float64):
            for name in ("bsam+", "looksam", "vasso"):
                with self.subTest(name, dtype=dtype):
                    x = {"w": np.linspace(-1, 2, 6, dtype=dtype).reshape(2, 3), "b": np.ones(2, dtype)}

                    def closure(at):
                        gradient = {"w": x["w"] ** 3, "b": 2 * x["b"]}
                        return float(np.sum(x["w"] ** 4) / 4 + np.sum(x["b"] ** 2)), gradient

                    def make():
                        return polder.make(name, base="adam", rho=0.1, learning_rate=0.1)

                    first, second = make(), make()
                    for _ in range(4):
                        first.step(x, closure)
                    saved = first.state(x)
                    self.assertIsInstance(saved, bytes)
                    at = {key: value.copy() for key, value in x.items()}
                    second.load_state(saved, x)
                    self.assertEqual(second.state(x), saved)
                    self.assertEqual(second.steps, 4)
                    for _ in range(4):
                        first.step(x, closure)
                    after = {key: value.copy() for key, value in x.items()}
                    for key in x:
                        x[key][...] = at[key]
                    for _ in range(4):
                        second.step(x, closure)
                    for key in x:
                        self.assertEqual(x[key].tobytes(), after[key].tobytes())
                    self.assertEqual(first.state(x), second.state(x))

    def test_damaged_state_is_refused(self):
        x = np.ones(4)
        optimizer = polder.make("bsam")
        optimizer.step(x, lambda: bowl(x))
        saved = optimizer.state(x)
        damaged = bytearray(saved)
        damaged[-1] ^= 1
        for wrong, expected in ((bytes(damaged), "is damaged: the checksum"), (saved[:-8], "truncated"),
                                (b"", "has 0 bytes, too few")):
            with self.assertRaisesRegex(RuntimeError, expected):
                optimizer.load_state(wrong, x)
        with self.assertRaises(RuntimeError):
            polder.make("bsam").load_state(saved, np.ones(5))
        self.assertEqual(optimizer.state(x), saved)

    def test_a_closure_that_throws_leaves_x(self):
        for name in polder.methods():
            for call in range(3):
                with self.subTest(name, call=call):
                    x = np.linspace(-1, 2, 5)
                    calls = []

                    def closure(at):
                        calls.append(at)
                        if len(calls) == fails_at:
                            raise KeyError("the closure's own")
                        return bowl(x)

                    optimizer = polder.make(name, base="sgd", momentum=0.9, learning_rate=0.01)
                    fails_at = 0
                    optimizer.step(x, closure)
                    before, state = x.tobytes(), optimizer.state(x)
                    calls.clear()
                    fails_at = call + 1
                    try:
                        optimizer.step(x, closure)
                    except KeyError as error:
                        self.assertEqual(error.args, ("the closure's own",))
                        self.assertEqual(x.tobytes(), before)
                        self.assertEqual(optimizer.state(x), state)
                        self.assertEqual(optimizer.steps, 1)
                    else:
                        self.assertLess(len(calls), fails_at)

    def test_gradients(self):
        """A dict in another order, memory that has gaps or is read-only, and the gradient stays the caller's."""
        x = {"a": np.ones(3), "b": np.ones((2, 3))}
        ga, gb = np.arange(3.0), np.arange(6.0).reshape(3, 2).T
        ga.flags.writeable = False
        kept = ga.copy(), gb.copy()
        optimizer = polder.make("none", base="sgd", learning_rate=1)
        for name in ("none", "sam", "bsam+", "gsam", "gnp"):
            polder.make(name).step({"a": np.ones(3), "b": np.ones((2, 3))}, lambda at: (0.0, {"b": gb, "a": ga}))
            np.testing.assert_array_equal(ga, kept[0])
            np.testing.assert_array_equal(gb, kept[1])
        optimizer.step(x, lambda: (0.0, {"b": gb, "a": ga}))
        np.testing.assert_array_equal(x["a"], 1 - kept[0])
        np.testing.assert_array_equal(x["b"], 1 - kept[1])

    def test_page(self):
        names = {}
        exec(example_of_page("numpy"), names)
        np.testing.assert_allclose(names["x"], [1, 1], atol=0.02)

    def test_samples(self):
        x, asked = np.ones(3), []

        def closure(at):
            asked.append(at.sample)
            return bowl(x)

        polder.make("fisher_sam_samples", samples=2).step(x, closure)
        self.assertEqual(sorted(set(asked)), [-1, 0, 1])

    def test_learning_rate(self):
        x = np.ones(2, np.float32)
        optimizer = polder.make("none", base="sgd")
        optimizer.learning_rate = 0.25
        optimizer.step(x, lambda: (0.0, np.ones(2, np.float32)))
        np.testing.assert_array_equal(x, [0.75, 0.75])

    def test_refusals(self):
        x = np.ones(3)

        def refused(expected, call):
            with self.assertRaisesRegex(ValueError, expected):
                call()

        refused("unknown optimizer 'bsma'; nearest: bsam", lambda: polder.make("bsma"))
        refused("nearest: adam", lambda: polder.make("sam", base="adan"))
        refused("nearest: rho", lambda: polder.make("sam", roh=1))
        refused("rho = -1", lambda: polder.make("sam", rho=-1))
        optimizer = polder.make("sam")
        refused("not contiguous", lambda: optimizer.step(np.ones((3, 4)).T, lambda: None))
        refused("not contiguous", lambda: optimizer.step(np.ones(6)[::2], lambda: None))
        for dtype in (int, bool, complex, np.float16, np.uint8):
            refused("not float32 or float64|DLPack only supports",  # the latter is numpy's own, of bool before numpy 2
                    lambda: optimizer.step(np.ones(3, dtype), lambda: None))
        refused("the array: .*byte order", lambda: optimizer.step(np.ones(3, ">f8"), lambda: None))
        read_only = np.ones(3)
        read_only.flags.writeable = False
        refused("array 'w': it is read-only", lambda: optimizer.step({"w": read_only}, lambda: None))
        refused("array '1': expected scalars of the first array's type, float64",
                lambda: optimizer.step([x, np.ones(3, np.float32)], lambda: None))
        refused("share memory", lambda: optimizer.step([x, x], lambda: (1.0, [x.copy(), x.copy()])))
        refused("no parameters", lambda: optimizer.step([], lambda: None))
        refused("returned None", lambda: optimizer.step(x, lambda: None))
        refused("returned 3 values", lambda: optimizer.step(x, lambda: (1.0, x, x)))
        refused("no gradient of array 'w'; expected the gradient built as",
                lambda: optimizer.step({"w": x}, lambda: (1.0, {"v": x})))
        refused("the gradient of array 'w': its scalars",
                lambda: optimizer.step({"w": x}, lambda: (1.0, {"w": x.astype(np.float32)})))
        refused("single samples", lambda: polder.make("fisher_sam_samples").step(x, lambda: bowl(x)))
        refused("it is a float, expected a numpy array", lambda: optimizer.step([1.0], lambda: None))
        refused(r"expected \(loss, gradient\)", lambda: optimizer.step(x, lambda: 1.0))
        refused("sizes", lambda: optimizer.step(x, lambda: (1.0, np.ones(2))))
        refused("two batches", lambda: polder.make("sam+").step(x, lambda: bowl(x)))
        refused("2 gradients, expected 1", lambda: optimizer.step(x, lambda: (1.0, [x, x])))
        np.testing.assert_array_equal(x, np.ones(3))
        with self.assertRaises(ZeroDivisionError):
            optimizer.step(x, lambda: 1 / 0)
        np.testing.assert_array_equal(x, np.ones(3))


@unittest.skipIf(torch is None, "torch is not installed")
class WithTorch(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(1)
        self.data = torch.randn(16, 5, dtype=torch.float64)

    def net(self):
        torch.manual_seed(2)
        layers = (torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        return torch.nn.Sequential(*layers).double()

    def loss(self, net):
        net.zero_grad()
        loss = (net(self.data).squeeze(1) - self.data[:, 0].abs()).pow(2).mean()
        loss.backward()
        return loss

    def flat(self, net):
        return torch.cat([p.detach().reshape(-1) for p in net.parameters()])

    def test_base_optimizers_agree_with_torch(self):
        for base, of, options in (
            ("sgd", torch.optim.SGD, {"momentum": 0.9}),
            ("adam", torch.optim.Adam, {}),
            ("adamw", torch.optim.AdamW, {"weight_decay": 0.1}),
        ):
            with self.subTest(base):
                ours, theirs = self.net(), self.net()
                optimizer = polder.make("none", base=base, learning_rate=0.01, **options)
                reference = of(theirs.parameters(), lr=0.01, **options)
                for _ in range(100):
                    optimizer.step(dict(ours.named_parameters()), lambda: self.loss(ours))
                    self.loss(theirs)
                    reference.step()
                torch.testing.assert_close(self.flat(ours), self.flat(theirs), rtol=0, atol=1e-12)

    def test_sam_agrees_with_torch(self):
        ours, theirs = self.net(), self.net()
        optimizer = polder.make("sam", base="adam", rho=0.05, learning_rate=0.01)
        reference = torch.optim.Adam(theirs.parameters(), lr=0.01)
        for _ in range(100):
            optimizer.step(list(ours.parameters()), lambda: self.loss(ours))
            self.loss(theirs)
            norm = torch.cat([p.grad.reshape(-1) for p in theirs.parameters()]).norm()
            moves = [0.05 * p.grad / (norm + 1e-12) for p in theirs.parameters()]
            before = [p.detach().clone() for p in theirs.parameters()]
            with torch.no_grad():
                for p, move in zip(theirs.parameters(), moves):
                    p.add_(move)
            self.loss(theirs)
            with torch.no_grad():
                for p, old in zip(theirs.parameters(), before):
                    p.copy_(old)
            reference.step()
        torch.testing.assert_close(self.flat(ours), self.flat(theirs), rtol=0, atol=1e-10)

    def test_without_a_copy(self):
        for dtype in (torch.float32, torch.float64):
            x = torch.ones(1000, dtype=dtype, requires_grad=True)
            seen_by_numpy, memory = x.detach().numpy(), x.data_ptr()

            def closure():
                x.grad = None
                loss = x.pow(2).sum()
                loss.backward()
                return loss

            report = polder.make("sam", base="sgd", learning_rate=0.25, rho=0).step(x, closure)
            self.assertEqual(report["loss"], 1000)
            self.assertEqual(x.data_ptr(), memory)
            np.testing.assert_array_equal(seen_by_numpy, np.full(1000, 0.5))

    def test_page(self):
        names = {"loader": [(torch.randn(32, 20), torch.randint(0, 2, (32,)))]}
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(example_of_page("A training loop of PyTorch"), names)
        losses = [float(line.split()[1]) for line in printed.getvalue().splitlines()]
        self.assertEqual(len(losses), 10)
        self.assertLess(losses[-1], losses[0])

        def loss_of(batch):
            names["net"].zero_grad()
            loss = torch.nn.functional.cross_entropy(names["net"](batch[0]), batch[1])
            loss.backward()
            return loss

        names.update(loss_of=loss_of, batches=2 * names["loader"])
        exec(example_of_page("Two batches"), names)
        self.assertEqual(names["optimizer"].steps, 1)

    def test_refusals(self):
        optimizer = polder.make("sam")
        for wrong, expected in ((torch.ones(3, 4).T, "not contiguous"),
                                (torch.ones(1).expand(3), "not contiguous"),
                                (torch.ones(3, dtype=torch.bfloat16), "not float32 or float64"),
                                (torch.ones(3, dtype=torch.int64), "not float32 or float64")):
            with self.assertRaisesRegex(ValueError, expected):
                optimizer.step({"w": wrong}, lambda: None)

    def test_a_tensor_without_gradient_is_left_alone(self):
        used, unused = (torch.ones(3, requires_grad=True) for _ in range(2))

        def closure():
            used.grad = None
            loss = used.pow(2).sum()
            loss.backward()
            return loss

        polder.make("sam").step([used, unused], closure)
        self.assertTrue((used < 1).all())
        self.assertTrue((unused == 1).all())


if __name__ == "__main__":
    unittest.main()
