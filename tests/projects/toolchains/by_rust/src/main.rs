fn main() {
    println!("by Rust");
}
