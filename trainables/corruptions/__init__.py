"""The common corruptions of CIFAR-C, Tiny-ImageNet-C and ImageNet-C."""
