"""o2c: order-to-cash. This package is the project and the kernel that every app stands on."""
