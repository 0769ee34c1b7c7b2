//! Firmware for a device that reads sensors and sends aggregates to Amazon Kinesis. It needs no heap and no operating system.
//!
//! ```text
//! sensor -> Device: Encoder, two buffers -> Store: flash -> mqtt: topic and payload   -> broker, rule -> stream
//!                                                        -> https: signed PutRecord                   -> stream
//! ```
//!
//! Nothing here does I/O: sockets come as `embedded_io::Write` and `Read`, flash as
//! `embedded_storage::nor_flash::NorFlash`. TLS and MQTT packets are left to the device's network stack.

#![no_std]

pub mod device;
pub mod https;
pub mod mqtt;
pub mod sensor;
pub mod sigv4;
pub mod simulated;
pub mod store;
