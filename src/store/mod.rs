//! What is kept between runs. `sled` is named only here.
