//! The one integration-test binary. Each module is an area; support code is in `support`.
