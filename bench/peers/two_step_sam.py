"""SAM for PyTorch after the usual pattern: two calls, with a backward pass before each."""

import torch


class SAM(torch.optim.Optimizer):
    """first_step() goes from x to x + eps, eps = rho g / ||g||, and keeps a clone of x; second_step() puts x
    back and lets the base optimizer step with the gradient at x + eps. Foret et al. 2021.

    adaptive: eps = rho x^2 g / ||x g||.
    reuse: keep x in the same tensor at every step, make none on the way, and leave adaptive aside; not the
    usual pattern, but the least traffic that these operators allow.
    options: of the base optimizer.
    """

    def __init__(self, parameters, base, rho=0.05, adaptive=False, reuse=False, **options):
        super().__init__(parameters, dict(rho=rho, adaptive=adaptive, reuse=reuse))
        self.base = base(self.param_groups, **options)

    @torch.no_grad()
    def first_step(self):
        norm = self._gradient_norm()
        for group in self.param_groups:
            scale = group["rho"] / (norm + 1e-12)
            for p in group["params"]:
                if group["reuse"]:
                    if "old_p" not in self.state[p]:
                        self.state[p]["old_p"] = torch.empty_like(p)
                    self.state[p]["old_p"].copy_(p)
                    p.add_(p.grad, alpha=scale.item())
                else:
                    self.state[p]["old_p"] = p.clone()
                    p.add_((p.square() if group["adaptive"] else 1.0) * p.grad * scale)

    @torch.no_grad()
    def second_step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if group["reuse"]:
                    p.copy_(self.state[p]["old_p"])
                else:
                    p.data = self.state[p]["old_p"]
        self.base.step()

    def _gradient_norm(self):
        def norm(p, adaptive, reuse):
            return p.grad.norm() if reuse else ((p.abs() if adaptive else 1.0) * p.grad).norm()

        return torch.stack([
            norm(p, group["adaptive"], group["reuse"])
            for group in self.param_groups
            for p in group["params"]
        ]).norm()
