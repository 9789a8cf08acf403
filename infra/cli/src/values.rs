//! Arguments that are one of a few names: the domain's own, so that `--help` lists them.

use belfry_domain::captcha::Provider;
use belfry_domain::license::activation_key::Purpose;
use belfry_domain::product::Product;
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// A point product.
pub(crate) fn product() -> impl TypedValueParser<Value = Product> {
    PossibleValuesParser::new(Product::ALL.map(Product::name))
        .try_map(|text| text.parse::<Product>())
}

/// What an activation key does.
pub(crate) fn purpose() -> impl TypedValueParser<Value = Purpose> {
    PossibleValuesParser::new(Purpose::ALL.map(Purpose::name))
        .try_map(|text| text.parse::<Purpose>())
}

/// Who tells people from machines.
pub(crate) fn provider() -> impl TypedValueParser<Value = Provider> {
    PossibleValuesParser::new(Provider::ALL.map(Provider::name))
        .try_map(|text| text.parse::<Provider>())
}
