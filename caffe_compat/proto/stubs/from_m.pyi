# Written by tools/make_stubs.py; change that file or the schema, not this one.
# fmt: off
# ruff: noqa
from collections.abc import Iterable
from caffe_compat.proto.stubs.base import (Enum, Fields, Message, Messages, Scalars)
from caffe_compat.proto.stubs.from_a import (CapSequenceParameter)
from caffe_compat.proto.stubs.from_d import (MnModelParallelParameter, MnParamGradCompressLayerTypeList)
from caffe_compat.proto.stubs.stock import (BlobShape, FillerParameter, TransformationParameter)

class MReLUParameter(Message):
    MReLUMethod: Enum
    LINEAR: int
    SIGMOID: int
    alpha: float
    levels: int
    gamma: float
    margin: float
    method: int
    def __init__(self, *, alpha: float = ..., levels: int = ..., gamma: float = ..., margin: float = ...,
        method: int | str = ...) -> None: ...

class MsplitParameter(Message):
    index: int
    channel_per_group: int
    def __init__(self, *, index: int = ..., channel_per_group: int = ...) -> None: ...

class MTCNNDataParameter(Message):
    augmented: bool
    flip: bool
    num_positive: int
    num_negitive: int
    num_part: int
    resize_width: int
    resize_height: int
    min_negitive_scale: float
    max_negitive_scale: float
    def __init__(self, *, augmented: bool = ..., flip: bool = ..., num_positive: int = ...,
        num_negitive: int = ..., num_part: int = ..., resize_width: int = ..., resize_height: int = ...,
        min_negitive_scale: float = ..., max_negitive_scale: float = ...) -> None: ...

class MtluParameter(Message):
    bins: int
    def __init__(self, *, bins: int = ...) -> None: ...

class MTransposeParameter(Message):
    groups: int
    inverse: bool
    width: int
    height: int
    channel: int
    def __init__(self, *, groups: int = ..., inverse: bool = ..., width: int = ..., height: int = ...,
        channel: int = ...) -> None: ...

class MtransposeParameter(Message):
    groups: int
    def __init__(self, *, groups: int = ...) -> None: ...

class MultiAccuracyParameter(Message):
    top_k: int
    axis: int
    version: str
    filename: str
    def __init__(self, *, top_k: int = ..., axis: int = ..., version: str = ...,
        filename: str = ...) -> None: ...

class MultiBoxLossParameter(Message):
    ConfLossType: Enum
    SOFTMAX: int
    LOGISTIC: int
    LocLossType: Enum
    L2: int
    SMOOTH_L1: int
    MatchType: Enum
    BIPARTITE: int
    PER_PREDICTION: int
    MiningType: Enum
    NONE: int
    MAX_NEGATIVE: int
    HARD_EXAMPLE: int
    loc_loss_type: int
    conf_loss_type: int
    loc_weight: float
    num_classes: int
    share_location: bool
    match_type: int
    overlap_threshold: float
    use_prior_for_matching: bool
    background_label_id: int
    use_difficult_gt: bool
    do_neg_mining: bool
    neg_pos_ratio: float
    neg_overlap: float
    code_type: int
    encode_variance_in_target: bool
    map_object_to_agnostic: bool
    ignore_cross_boundary_bbox: bool
    bp_inside: bool
    mining_type: int
    nms_param: NonMaximumSuppressionParameter
    sample_size: int
    use_prior_for_nms: bool
    oriented_weight: float
    pose_weight: float
    num_poses: int
    use_polygon: bool
    ignore_difficult_gt: bool
    objectness_score: float
    def __init__(self, *, loc_loss_type: int | str = ..., conf_loss_type: int | str = ...,
        loc_weight: float = ..., num_classes: int = ..., share_location: bool = ...,
        match_type: int | str = ..., overlap_threshold: float = ..., use_prior_for_matching: bool = ...,
        background_label_id: int = ..., use_difficult_gt: bool = ..., do_neg_mining: bool = ...,
        neg_pos_ratio: float = ..., neg_overlap: float = ..., code_type: int | str = ...,
        encode_variance_in_target: bool = ..., map_object_to_agnostic: bool = ...,
        ignore_cross_boundary_bbox: bool = ..., bp_inside: bool = ..., mining_type: int | str = ...,
        nms_param: NonMaximumSuppressionParameter | Fields = ..., sample_size: int = ...,
        use_prior_for_nms: bool = ..., oriented_weight: float = ..., pose_weight: float = ...,
        num_poses: int = ..., use_polygon: bool = ..., ignore_difficult_gt: bool = ...,
        objectness_score: float = ...) -> None: ...

class MultidataParameter(Message):
    source: str
    batch_size: int
    rand_skip: int
    backend: int
    force_encoded_color: Scalars[bool]
    cursor: int
    transform_param: Messages[TransformationParameter]
    def __init__(self, *, source: str = ..., batch_size: int = ..., rand_skip: int = ...,
        backend: int | str = ..., force_encoded_color: Iterable[bool] = ..., cursor: int | str = ...,
        transform_param: Iterable[TransformationParameter | Fields] = ...) -> None: ...

class MultiLabelAccuracyParameter(Message):
    RankType: Enum
    IMAGE: int
    rank_type: int
    test_iter: int
    def __init__(self, *, rank_type: int | str = ..., test_iter: int = ...) -> None: ...

class MultiLabelSoftmaxLoss(Message):
    gamma: float
    def __init__(self, *, gamma: float = ...) -> None: ...

class MultiModalBatchNormParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    use_global_stats: bool
    moving_average_fraction: float
    eps: float
    engine: int
    def __init__(self, *, use_global_stats: bool = ..., moving_average_fraction: float = ...,
        eps: float = ..., engine: int | str = ...) -> None: ...

class MultinodeLayerParameter(Message):
    num_nodes: int
    model_parts: int
    def __init__(self, *, num_nodes: int = ..., model_parts: int = ...) -> None: ...

class MultinodeParameter(Message):
    model_parallel: Messages[MnModelParallelParameter]
    compress_layer_type_list: MnParamGradCompressLayerTypeList
    def __init__(self, *, model_parallel: Iterable[MnModelParallelParameter | Fields] = ...,
        compress_layer_type_list: MnParamGradCompressLayerTypeList | Fields = ...) -> None: ...

class MultiPBoxLossParameter(Message):
    ConfLossType: Enum
    SOFTMAX: int
    LOGISTIC: int
    LocLossType: Enum
    L2: int
    SMOOTH_L1: int
    MatchType: Enum
    BIPARTITE: int
    PER_PREDICTION: int
    MiningType: Enum
    NONE: int
    MAX_NEGATIVE: int
    HARD_EXAMPLE: int
    loc_loss_type: int
    conf_loss_type: int
    loc_weight: float
    num_classes: int
    share_location: bool
    match_type: int
    overlap_threshold: float
    use_prior_for_matching: bool
    background_label_id: int
    use_difficult_gt: bool
    do_neg_mining: bool
    neg_pos_ratio: float
    neg_overlap: float
    encode_variance_in_target: bool
    map_object_to_agnostic: bool
    ignore_cross_boundary_pbox: bool
    bp_inside: bool
    mining_type: int
    nms_param: NonMaximumSuppressionParameter
    sample_size: int
    use_prior_for_nms: bool
    pose_weight: float
    num_poses: int
    def __init__(self, *, loc_loss_type: int | str = ..., conf_loss_type: int | str = ...,
        loc_weight: float = ..., num_classes: int = ..., share_location: bool = ...,
        match_type: int | str = ..., overlap_threshold: float = ..., use_prior_for_matching: bool = ...,
        background_label_id: int = ..., use_difficult_gt: bool = ..., do_neg_mining: bool = ...,
        neg_pos_ratio: float = ..., neg_overlap: float = ..., encode_variance_in_target: bool = ...,
        map_object_to_agnostic: bool = ..., ignore_cross_boundary_pbox: bool = ..., bp_inside: bool = ...,
        mining_type: int | str = ..., nms_param: NonMaximumSuppressionParameter | Fields = ...,
        sample_size: int = ..., use_prior_for_nms: bool = ..., pose_weight: float = ...,
        num_poses: int = ...) -> None: ...

class MultiProtoParameter(Message):
    num_protos: int
    num_output: int
    weight_filler: FillerParameter
    save: bool
    source: str
    def __init__(self, *, num_protos: int = ..., num_output: int = ...,
        weight_filler: FillerParameter | Fields = ..., save: bool = ..., source: str = ...) -> None: ...

class MultiRBoxLossParameter(Message):
    ConfLossType: Enum
    SOFTMAX: int
    LOGISTIC: int
    LocLossType: Enum
    L2: int
    SMOOTH_L1: int
    MatchType: Enum
    BIPARTITE: int
    PER_PREDICTION: int
    MiningType: Enum
    NONE: int
    MAX_NEGATIVE: int
    HARD_EXAMPLE: int
    loc_loss_type: int
    conf_loss_type: int
    loc_weight: float
    num_classes: int
    share_location: bool
    match_type: int
    overlap_threshold: float
    use_prior_for_matching: bool
    background_label_id: int
    use_difficult_gt: bool
    do_neg_mining: bool
    neg_pos_ratio: float
    neg_overlap: float
    encode_variance_in_target: bool
    map_object_to_agnostic: bool
    ignore_cross_boundary_rbox: bool
    bp_inside: bool
    mining_type: int
    nms_param: NonMaximumSuppressionParameter
    sample_size: int
    use_prior_for_nms: bool
    prior_width: float
    prior_height: float
    regress_angle: bool
    regress_size: bool
    def __init__(self, *, loc_loss_type: int | str = ..., conf_loss_type: int | str = ...,
        loc_weight: float = ..., num_classes: int = ..., share_location: bool = ...,
        match_type: int | str = ..., overlap_threshold: float = ..., use_prior_for_matching: bool = ...,
        background_label_id: int = ..., use_difficult_gt: bool = ..., do_neg_mining: bool = ...,
        neg_pos_ratio: float = ..., neg_overlap: float = ..., encode_variance_in_target: bool = ...,
        map_object_to_agnostic: bool = ..., ignore_cross_boundary_rbox: bool = ..., bp_inside: bool = ...,
        mining_type: int | str = ..., nms_param: NonMaximumSuppressionParameter | Fields = ...,
        sample_size: int = ..., use_prior_for_nms: bool = ..., prior_width: float = ...,
        prior_height: float = ..., regress_angle: bool = ..., regress_size: bool = ...) -> None: ...

class MultiSigmoidCrossEntropyLossParameter(Message):
    task_num: int
    axis: int
    def __init__(self, *, task_num: int = ..., axis: int = ...) -> None: ...

class MultiSoftmaxLossParameter(Message):
    learning_multiple: int
    def __init__(self, *, learning_multiple: int = ...) -> None: ...

class MultiSoftmaxParameter(Message):
    max_multiple: int
    def __init__(self, *, max_multiple: int = ...) -> None: ...

class MultiStageMeanfieldParameter(Message):
    Mode: Enum
    POTTS: int
    compatibility_mode: int
    threshold: float
    theta_alpha: float
    theta_beta: float
    theta_gamma: float
    num_iterations: int
    spatial_filter_weight: float
    bilateral_filter_weight: float
    forced_spatial_filter_weight: float
    forced_bilateral_filter_weight: float
    detection_potentials_enabled: bool
    detection_dat_input_dir: str
    train_dataset_size: int
    detection_dat_check_enabled: bool
    detection_potentials_max_score: float
    detection_potentials_epsilon: float
    detection_x_weights_str: str
    detection_y_weights_str: str
    spatial_filter_weights_str: str
    bilateral_filter_weights_str: str
    ho_potentials_enabled: bool
    ho_dat_input_dir: str
    ho_w_param_str: str
    ho_num_layers: int
    ho_w2_param_str: str
    ho_w2_enabled: bool
    force_cpu: bool
    is_no_class_weights: bool
    def __init__(self, *, compatibility_mode: int | str = ..., threshold: float = ...,
        theta_alpha: float = ..., theta_beta: float = ..., theta_gamma: float = ...,
        num_iterations: int = ..., spatial_filter_weight: float = ..., bilateral_filter_weight: float = ...,
        forced_spatial_filter_weight: float = ..., forced_bilateral_filter_weight: float = ...,
        detection_potentials_enabled: bool = ..., detection_dat_input_dir: str = ...,
        train_dataset_size: int = ..., detection_dat_check_enabled: bool = ...,
        detection_potentials_max_score: float = ..., detection_potentials_epsilon: float = ...,
        detection_x_weights_str: str = ..., detection_y_weights_str: str = ...,
        spatial_filter_weights_str: str = ..., bilateral_filter_weights_str: str = ...,
        ho_potentials_enabled: bool = ..., ho_dat_input_dir: str = ..., ho_w_param_str: str = ...,
        ho_num_layers: int = ..., ho_w2_param_str: str = ..., ho_w2_enabled: bool = ...,
        force_cpu: bool = ..., is_no_class_weights: bool = ...) -> None: ...

class MultiViewParameter(Message):
    num_output_shared: int
    num_output_unique: int
    bias_term_shared: bool
    weight_filler_shared: FillerParameter
    bias_filler_shared: FillerParameter
    weight_filler_unique_1: FillerParameter
    weight_filler_unique_2: FillerParameter
    def __init__(self, *, num_output_shared: int = ..., num_output_unique: int = ...,
        bias_term_shared: bool = ..., weight_filler_shared: FillerParameter | Fields = ...,
        bias_filler_shared: FillerParameter | Fields = ...,
        weight_filler_unique_1: FillerParameter | Fields = ...,
        weight_filler_unique_2: FillerParameter | Fields = ...) -> None: ...

class MulToBinParameter(Message):
    levels: int
    mod: int
    inverse: bool
    imp: bool
    def __init__(self, *, levels: int = ..., mod: int = ..., inverse: bool = ...,
        imp: bool = ...) -> None: ...

class MyReshapeParameter(Message):
    shape: BlobShape
    axis: int
    num_axes: int
    def __init__(self, *, shape: BlobShape | Fields = ..., axis: int = ..., num_axes: int = ...) -> None: ...

class MyTileParameter(Message):
    axis: int
    tiles: int
    def __init__(self, *, axis: int = ..., tiles: int = ...) -> None: ...

class NAMCWindowDataParameter(Message):
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    fg_threshold: float
    bg_threshold: float
    fg_fraction: float
    context_pad: int
    crop_mode: str
    shuffle: bool
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        crop_size: int = ..., mirror: bool = ..., fg_threshold: float = ..., bg_threshold: float = ...,
        fg_fraction: float = ..., context_pad: int = ..., crop_mode: str = ...,
        shuffle: bool = ...) -> None: ...

class NCAParameter(Message):
    min_negative_only: bool
    def __init__(self, *, min_negative_only: bool = ...) -> None: ...

class NeighborhoodUnfoldingParameter(Message):
    neighborhood_w: int
    neighborhood_h: int
    copy_padding: bool
    self_copying: bool
    def __init__(self, *, neighborhood_w: int = ..., neighborhood_h: int = ..., copy_padding: bool = ...,
        self_copying: bool = ...) -> None: ...

class NetvladParameter(Message):
    cluster_num: int
    local_dim: int
    vlad_dim: int
    weight_filler: FillerParameter
    def __init__(self, *, cluster_num: int = ..., local_dim: int = ..., vlad_dim: int = ...,
        weight_filler: FillerParameter | Fields = ...) -> None: ...

class NLUParameter(Message):
    ratio: float
    alpha: float
    max_mean: float
    gamma: float
    eta: float
    def __init__(self, *, ratio: float = ..., alpha: float = ..., max_mean: float = ..., gamma: float = ...,
        eta: float = ...) -> None: ...

class NmsParameter(Message):
    threshold: float
    num_peak: int
    max_peaks: int
    num_parts: int
    def __init__(self, *, threshold: float = ..., num_peak: int = ..., max_peaks: int = ...,
        num_parts: int = ...) -> None: ...

class NNDownsampleParameter(Message):
    resize: int
    def __init__(self, *, resize: int = ...) -> None: ...

class NNPACKConvolutionParameter(Message):
    Algorithm: Enum
    AUTO: int
    FFT_8x8: int
    FFT_16x16: int
    WINOGRAD: int
    KernelTransformStrategy: Enum
    COMPUTE: int
    RECOMPUTE: int
    REUSE: int
    algorithm: int
    kernel_transform_strategy: int
    def __init__(self, *, algorithm: int | str = ..., kernel_transform_strategy: int | str = ...) -> None: ...

class NNUpsampleParameter(Message):
    resize: int
    def __init__(self, *, resize: int = ...) -> None: ...

class NoiseDataParameter(Message):
    NoiseDataMethod: Enum
    GAUSSIAN: int
    LAPLACIAN: int
    method: int
    std: float
    def __init__(self, *, method: int | str = ..., std: float = ...) -> None: ...

class NoiseParameter(Message):
    prob: float
    hist_eq: bool
    inverse: bool
    decolorize: bool
    gauss_blur: bool
    jpeg: float
    posterize: bool
    erode: bool
    saltpepper: bool
    saltpepper_param: SaltPepperParameter
    clahe: bool
    convert_to_hsv: bool
    convert_to_lab: bool
    convert_to_ycrcb: bool
    uniform_range: float
    bias: float
    offset_add_mean: bool
    offset_mul_mean: bool
    gaussian_std: float
    sigma: float
    force_random: bool
    mu: float
    mul_noise_filler: FillerParameter
    add_noise_filler: FillerParameter
    def __init__(self, *, prob: float = ..., hist_eq: bool = ..., inverse: bool = ..., decolorize: bool = ...,
        gauss_blur: bool = ..., jpeg: float = ..., posterize: bool = ..., erode: bool = ...,
        saltpepper: bool = ..., saltpepper_param: SaltPepperParameter | Fields = ..., clahe: bool = ...,
        convert_to_hsv: bool = ..., convert_to_lab: bool = ..., convert_to_ycrcb: bool = ...,
        uniform_range: float = ..., bias: float = ..., offset_add_mean: bool = ...,
        offset_mul_mean: bool = ..., gaussian_std: float = ..., sigma: float = ..., force_random: bool = ...,
        mu: float = ..., mul_noise_filler: FillerParameter | Fields = ...,
        add_noise_filler: FillerParameter | Fields = ...) -> None: ...

class NoisyTransParameter(Message):
    num_output: int
    source: str
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    axis: int
    def __init__(self, *, num_output: int = ..., source: str = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        axis: int = ...) -> None: ...

class NonlocalParameter(Message):
    groups: int
    code: bool
    order: int
    alpha: float
    def __init__(self, *, groups: int = ..., code: bool = ..., order: int = ...,
        alpha: float = ...) -> None: ...

class NonMaximumSuppressionParameter(Message):
    nms_threshold: float
    top_k: int
    eta: float
    def __init__(self, *, nms_threshold: float = ..., top_k: int = ..., eta: float = ...) -> None: ...

class NormalizedBBox(Message):
    xmin: float
    ymin: float
    xmax: float
    ymax: float
    label: int
    difficult: bool
    score: float
    size: float
    def __init__(self, *, xmin: float = ..., ymin: float = ..., xmax: float = ..., ymax: float = ...,
        label: int = ..., difficult: bool = ..., score: float = ..., size: float = ...) -> None: ...

class NormalizedOrientedBBox(Message):
    xc: float
    yc: float
    width: float
    height: float
    radians: float
    def __init__(self, *, xc: float = ..., yc: float = ..., width: float = ..., height: float = ...,
        radians: float = ...) -> None: ...

class NormalizedPBox(Message):
    ltopx: float
    ltopy: float
    lbottomx: float
    lbottomy: float
    rbottomx: float
    rbottomy: float
    rtopx: float
    rtopy: float
    label: int
    difficult: bool
    score: float
    size: float
    def __init__(self, *, ltopx: float = ..., ltopy: float = ..., lbottomx: float = ...,
        lbottomy: float = ..., rbottomx: float = ..., rbottomy: float = ..., rtopx: float = ...,
        rtopy: float = ..., label: int = ..., difficult: bool = ..., score: float = ...,
        size: float = ...) -> None: ...

class NormalizedPolygon(Message):
    x1: float
    y1: float
    x2: float
    y2: float
    x3: float
    y3: float
    x4: float
    y4: float
    difficult: bool
    score: float
    size: float
    def __init__(self, *, x1: float = ..., y1: float = ..., x2: float = ..., y2: float = ..., x3: float = ...,
        y3: float = ..., x4: float = ..., y4: float = ..., difficult: bool = ..., score: float = ...,
        size: float = ...) -> None: ...

class NormalizedRBox(Message):
    x1: float
    y1: float
    x2: float
    y2: float
    h: float
    difficult: bool
    score: float
    size: float
    xcenter: float
    ycenter: float
    angle: float
    width: float
    height: float
    label: int
    def __init__(self, *, x1: float = ..., y1: float = ..., x2: float = ..., y2: float = ..., h: float = ...,
        difficult: bool = ..., score: float = ..., size: float = ..., xcenter: float = ...,
        ycenter: float = ..., angle: float = ..., width: float = ..., height: float = ...,
        label: int = ...) -> None: ...

class NormalizeParameter(Message):
    across_spatial: bool
    scale_filler: FillerParameter
    channel_shared: bool
    eps: float
    ada_init: bool
    normalize_type: str
    fix_gradient: bool
    bp_norm: bool
    fix_scale: bool
    axis: int
    split: bool
    length: int
    once: bool
    def __init__(self, *, across_spatial: bool = ..., scale_filler: FillerParameter | Fields = ...,
        channel_shared: bool = ..., eps: float = ..., ada_init: bool = ..., normalize_type: str = ...,
        fix_gradient: bool = ..., bp_norm: bool = ..., fix_scale: bool = ..., axis: int = ...,
        split: bool = ..., length: int = ..., once: bool = ...) -> None: ...

class NormConvMeanfieldParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    Mode: Enum
    POTTS: int
    Norm: Enum
    L1: int
    L2: int
    compatibility_mode: int
    threshold: float
    num_iterations: int
    spatial_filter_weight: float
    bilateral_filter_weight: float
    forced_spatial_filter_weight: float
    forced_bilateral_filter_weight: float
    iter_multiplier: float
    norm: Scalars[int]
    scale_term: Scalars[bool]
    scale: Scalars[float]
    remove_center: Scalars[bool]
    remove_bounds: Scalars[bool]
    bias_term: Scalars[bool]
    pad: Scalars[int]
    kernel_size: Scalars[int]
    stride: Scalars[int]
    dilation: Scalars[int]
    group: Scalars[int]
    weight_filler: Messages[FillerParameter]
    bias_filler: Messages[FillerParameter]
    engine: int
    def __init__(self, *, compatibility_mode: int | str = ..., threshold: float = ...,
        num_iterations: int = ..., spatial_filter_weight: float = ..., bilateral_filter_weight: float = ...,
        forced_spatial_filter_weight: float = ..., forced_bilateral_filter_weight: float = ...,
        iter_multiplier: float = ..., norm: Iterable[int | str] = ..., scale_term: Iterable[bool] = ...,
        scale: Iterable[float] = ..., remove_center: Iterable[bool] = ...,
        remove_bounds: Iterable[bool] = ..., bias_term: Iterable[bool] = ..., pad: Iterable[int] = ...,
        kernel_size: Iterable[int] = ..., stride: Iterable[int] = ..., dilation: Iterable[int] = ...,
        group: Iterable[int] = ..., weight_filler: Iterable[FillerParameter | Fields] = ...,
        bias_filler: Iterable[FillerParameter | Fields] = ..., engine: int | str = ...) -> None: ...

class NormConvParameter(Message):
    Norm: Enum
    L1: int
    L2: int
    scale_term: bool
    norm: int
    scale_filler: FillerParameter
    remove_center: bool
    remove_bounds: bool
    def __init__(self, *, scale_term: bool = ..., norm: int | str = ...,
        scale_filler: FillerParameter | Fields = ..., remove_center: bool = ...,
        remove_bounds: bool = ...) -> None: ...

class NormL2Parameter(Message):
    spare: float
    def __init__(self, *, spare: float = ...) -> None: ...

class NormLossParameter(Message):
    NormType: Enum
    L1: int
    L2: int
    Lp: int
    type: int
    p: float
    def __init__(self, *, type: int | str = ..., p: float = ...) -> None: ...

class NumpyDataParameter(Message):
    shape: Scalars[int]
    data: Scalars[float]
    def __init__(self, *, shape: Iterable[int] = ..., data: Iterable[float] = ...) -> None: ...

class OctreeParameter(Message):
    curr_depth: int
    full_octree: bool
    batch_size: int
    is_adaptive: bool
    auto_pad: bool
    mask: Scalars[int]
    content_flag: str
    dropout_depth: Scalars[int]
    dropout_ratio: Scalars[float]
    tile_depth: int
    signal_channel: int
    adapt_depth: int
    def __init__(self, *, curr_depth: int = ..., full_octree: bool = ..., batch_size: int = ...,
        is_adaptive: bool = ..., auto_pad: bool = ..., mask: Iterable[int] = ..., content_flag: str = ...,
        dropout_depth: Iterable[int] = ..., dropout_ratio: Iterable[float] = ..., tile_depth: int = ...,
        signal_channel: int = ..., adapt_depth: int = ...) -> None: ...

class OneHotParameter(Message):
    num_labels: int
    to_log: bool
    input_dim: int
    def __init__(self, *, num_labels: int = ..., to_log: bool = ..., input_dim: int = ...) -> None: ...

class OnlineBatchRelationLossParameter(Message):
    label_num: int
    moving_average_fraction: float
    negative_threshold: float
    positive_threshold: float
    def __init__(self, *, label_num: int = ..., moving_average_fraction: float = ...,
        negative_threshold: float = ..., positive_threshold: float = ...) -> None: ...

class OpflowWarpParameter(Message):
    is_forward: bool
    def __init__(self, *, is_forward: bool = ...) -> None: ...

class OPTransformationParameter(Message):
    stride: int
    flip_prob: float
    max_degree_rotations: str
    crop_size_x: int
    crop_size_y: int
    center_perterb_max: float
    center_swap_prob: float
    scale_prob: float
    scale_mins: str
    scale_maxs: str
    target_dist: float
    number_max_occlusions: str
    sigmas: str
    models: str
    sources: str
    probabilities: str
    source_background: str
    prob_only_background: float
    media_directory: str
    normalization: int
    add_distance: bool
    input_type: str
    frame_size: int
    taf_topology: int
    def __init__(self, *, stride: int = ..., flip_prob: float = ..., max_degree_rotations: str = ...,
        crop_size_x: int = ..., crop_size_y: int = ..., center_perterb_max: float = ...,
        center_swap_prob: float = ..., scale_prob: float = ..., scale_mins: str = ..., scale_maxs: str = ...,
        target_dist: float = ..., number_max_occlusions: str = ..., sigmas: str = ..., models: str = ...,
        sources: str = ..., probabilities: str = ..., source_background: str = ...,
        prob_only_background: float = ..., media_directory: str = ..., normalization: int = ...,
        add_distance: bool = ..., input_type: str = ..., frame_size: int = ...,
        taf_topology: int = ...) -> None: ...

class OrdinalRegressionParameter(Message):
    k: int
    weight_file: str
    def __init__(self, *, k: int = ..., weight_file: str = ...) -> None: ...

class OrthogonalConstraintParameter(Message):
    num_output: int
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    def __init__(self, *, num_output: int = ..., bias_term: bool = ...,
        weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ...) -> None: ...

class OuterProductParameter(Message):
    loss_weight: float
    def __init__(self, *, loss_weight: float = ...) -> None: ...

class OutputDecayParameter(Message):
    regularization_type: str
    output_decay: float
    def __init__(self, *, regularization_type: str = ..., output_decay: float = ...) -> None: ...

class OxfordTripletParameter(Message):
    featureMapId: str
    margin: float
    marginMultiplier: float
    featureLength: int
    sampledPositivePairs: int
    sampledNegatives: int
    tooHardTriplets: bool
    logCycle: int
    randomRatio: float
    storedNegativeRatio: float
    storedNegativeLives: int
    classUniform: bool
    def __init__(self, *, featureMapId: str = ..., margin: float = ..., marginMultiplier: float = ...,
        featureLength: int = ..., sampledPositivePairs: int = ..., sampledNegatives: int = ...,
        tooHardTriplets: bool = ..., logCycle: int = ..., randomRatio: float = ...,
        storedNegativeRatio: float = ..., storedNegativeLives: int = ...,
        classUniform: bool = ...) -> None: ...

class PackChannelParameter(Message):
    PackChannelMethod: Enum
    PACK: int
    UNPACK: int
    channels_per_group: int
    method: int
    def __init__(self, *, channels_per_group: int = ..., method: int | str = ...) -> None: ...

class PackDataParameter(Message):
    PackDataMethod: Enum
    PACK: int
    UNPACK: int
    windows_size: int
    method: int
    height: int
    width: int
    def __init__(self, *, windows_size: int = ..., method: int | str = ..., height: int = ...,
        width: int = ...) -> None: ...

class PaddingParameter(Message):
    pad_beg: int
    pad_end: int
    def __init__(self, *, pad_beg: int = ..., pad_end: int = ...) -> None: ...

class PairCoordinateDataParameter(Message):
    source: str
    batch_size: int
    rand_seed: int
    shuffle: bool
    mirror: bool
    root_folder: str
    def __init__(self, *, source: str = ..., batch_size: int = ..., rand_seed: int = ..., shuffle: bool = ...,
        mirror: bool = ..., root_folder: str = ...) -> None: ...

class PairDataParameter(Message):
    DB: Enum
    LEVELDB: int
    LMDB: int
    source: str
    source_list: str
    pairs_list: str
    batch_size: int
    backend: int
    def __init__(self, *, source: str = ..., source_list: str = ..., pairs_list: str = ...,
        batch_size: int = ..., backend: int | str = ...) -> None: ...

class PairwiseParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    PairwiseOp: Enum
    SUM: int
    PROD: int
    MAX: int
    operation: int
    coeff: Scalars[float]
    l_threshold: float
    q_threshold: float
    l_lambda: float
    q_gamma: float
    class_num: float
    sigmoid_param: float
    continous_similarity: bool
    engine: int
    axis: int
    def __init__(self, *, operation: int | str = ..., coeff: Iterable[float] = ..., l_threshold: float = ...,
        q_threshold: float = ..., l_lambda: float = ..., q_gamma: float = ..., class_num: float = ...,
        sigmoid_param: float = ..., continous_similarity: bool = ..., engine: int | str = ...,
        axis: int = ...) -> None: ...

class PairwiseRankingHingeLossParameter(Message):
    margin: float
    def __init__(self, *, margin: float = ...) -> None: ...

class PairWiseSampleLossParameter(Message):
    margin: float
    num: int
    noisy_flag: bool
    def __init__(self, *, margin: float = ..., num: int = ..., noisy_flag: bool = ...) -> None: ...

class ParamParameter(Message):
    Policy: Enum
    CONSTANT: int
    STEPUP: int
    ADDUP: int
    policy: int
    value: float
    min: float
    max: float
    gamma: float
    step: int
    iter: int
    def __init__(self, *, policy: int | str = ..., value: float = ..., min: float = ..., max: float = ...,
        gamma: float = ..., step: int = ..., iter: int = ...) -> None: ...

class ParamShapeParameter(Message):
    dimension: Scalars[int]
    def __init__(self, *, dimension: Iterable[int] = ...) -> None: ...

class ParseEvaluateParameter(Message):
    num_labels: int
    ignore_label: Scalars[int]
    def __init__(self, *, num_labels: int = ..., ignore_label: Iterable[int] = ...) -> None: ...

class PartSortParameter(Message):
    axis: int
    first_element: int
    def __init__(self, *, axis: int = ..., first_element: int = ...) -> None: ...

class PatchParameter(Message):
    groups: int
    scale_gradient: bool
    def __init__(self, *, groups: int = ..., scale_gradient: bool = ...) -> None: ...

class PeriodicLossParameter(Message):
    period: float
    label_max: float
    def __init__(self, *, period: float = ..., label_max: float = ...) -> None: ...

class PeriodicShuffleParameter(Message):
    num_output: int
    group_size: int
    def __init__(self, *, num_output: int = ..., group_size: int = ...) -> None: ...

class PermutationParameter(Message):
    PermutationType: Enum
    QUAD2: int
    GEN: int
    type: int
    permute_string: str
    def __init__(self, *, type: int | str = ..., permute_string: str = ...) -> None: ...

class PermuteParameter(Message):
    order: Scalars[int]
    def __init__(self, *, order: Iterable[int] = ...) -> None: ...

class PicpacParameter(Message):
    path: str
    batch: int
    channels: int
    split: int
    split_fold: int
    threads: int
    perturb: bool
    pert_color1: float
    pert_color2: float
    pert_color3: float
    pert_angle: float
    pert_min_scale: float
    pert_max_scale: float
    resize_width: int
    resize_height: int
    def __init__(self, *, path: str = ..., batch: int = ..., channels: int = ..., split: int = ...,
        split_fold: int = ..., threads: int = ..., perturb: bool = ..., pert_color1: float = ...,
        pert_color2: float = ..., pert_color3: float = ..., pert_angle: float = ...,
        pert_min_scale: float = ..., pert_max_scale: float = ..., resize_width: int = ...,
        resize_height: int = ...) -> None: ...

class PifaDataParameter(Message):
    segmentation: bool
    multfact: int
    num_channels: int
    batchsize: int
    root_img_dir: str
    random_crop: bool
    sample_per_cluster: bool
    labelinds: str
    source: str
    meanfile: str
    crop_meanfile: str
    cropsize: int
    outsize: int
    scale: float
    label_width: int
    label_height: int
    dont_flip_first: bool
    angle_max: float
    flip_joint_labels: bool
    detect_radius: int
    def __init__(self, *, segmentation: bool = ..., multfact: int = ..., num_channels: int = ...,
        batchsize: int = ..., root_img_dir: str = ..., random_crop: bool = ...,
        sample_per_cluster: bool = ..., labelinds: str = ..., source: str = ..., meanfile: str = ...,
        crop_meanfile: str = ..., cropsize: int = ..., outsize: int = ..., scale: float = ...,
        label_width: int = ..., label_height: int = ..., dont_flip_first: bool = ..., angle_max: float = ...,
        flip_joint_labels: bool = ..., detect_radius: int = ...) -> None: ...

class Plus1LossParameter(Message):
    lower_bound: float
    upper_bound: float
    def __init__(self, *, lower_bound: float = ..., upper_bound: float = ...) -> None: ...

class PointwiseAttendParameter(Message):
    AttendMode: Enum
    LOCAL: int
    GLOBAL: int
    att_mode: int
    kernel_size: int
    pad: int
    def __init__(self, *, att_mode: int | str = ..., kernel_size: int = ..., pad: int = ...) -> None: ...

class Pooling3DParameter(Message):
    PoolMethod: Enum
    MAX: int
    AVE: int
    STOCHASTIC: int
    pool: int
    kernel_size: int
    stride: int
    pad: int
    kernel_depth: int
    temporal_stride: int
    temporal_pad: int
    kernel_l: int
    stride_l: int
    pad_l: int
    def __init__(self, *, pool: int | str = ..., kernel_size: int = ..., stride: int = ..., pad: int = ...,
        kernel_depth: int = ..., temporal_stride: int = ..., temporal_pad: int = ..., kernel_l: int = ...,
        stride_l: int = ..., pad_l: int = ...) -> None: ...

class PoolingNDParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    PoolMethod: Enum
    MAX: int
    AVE: int
    STOCHASTIC: int
    pool: int
    pad: Scalars[int]
    kernel_size: Scalars[int]
    stride: Scalars[int]
    pad_h: int
    pad_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    engine: int
    global_pooling: bool
    axis: int
    def __init__(self, *, pool: int | str = ..., pad: Iterable[int] = ..., kernel_size: Iterable[int] = ...,
        stride: Iterable[int] = ..., pad_h: int = ..., pad_w: int = ..., kernel_h: int = ...,
        kernel_w: int = ..., stride_h: int = ..., stride_w: int = ..., engine: int | str = ...,
        global_pooling: bool = ..., axis: int = ...) -> None: ...

class PoseAccuracyParameter(Message):
    top_k: int
    axis: int
    mode: str
    version: str
    def __init__(self, *, top_k: int = ..., axis: int = ..., mode: str = ..., version: str = ...) -> None: ...

class PoseDataParameter(Message):
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    rand_skip: int
    shuffle: bool
    new_height: int
    new_width: int
    is_color: bool
    root_folder: str
    ignore_label: int
    sequential: bool
    input_width: int
    input_height: int
    soft_labels: bool
    no_bg_class: bool
    scale_jitter_up: float
    scale_jitter_lo: float
    gauss_blob_sigma: float
    multi_label: bool
    num_classes: int
    location_refinement: bool
    regress_to_other: bool
    rpn: bool
    rpn_distance_threshold: float
    segmentation: bool
    segmentation_stride: int
    max_input_size: int
    weight_targets: bool
    joint_pairs_stats: str
    cycle_training_data: bool
    fg_threshold: float
    bg_threshold: float
    fg_fraction: float
    cache_images: bool
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        crop_size: int = ..., mirror: bool = ..., rand_skip: int = ..., shuffle: bool = ...,
        new_height: int = ..., new_width: int = ..., is_color: bool = ..., root_folder: str = ...,
        ignore_label: int = ..., sequential: bool = ..., input_width: int = ..., input_height: int = ...,
        soft_labels: bool = ..., no_bg_class: bool = ..., scale_jitter_up: float = ...,
        scale_jitter_lo: float = ..., gauss_blob_sigma: float = ..., multi_label: bool = ...,
        num_classes: int = ..., location_refinement: bool = ..., regress_to_other: bool = ...,
        rpn: bool = ..., rpn_distance_threshold: float = ..., segmentation: bool = ...,
        segmentation_stride: int = ..., max_input_size: int = ..., weight_targets: bool = ...,
        joint_pairs_stats: str = ..., cycle_training_data: bool = ..., fg_threshold: float = ...,
        bg_threshold: float = ..., fg_fraction: float = ..., cache_images: bool = ...) -> None: ...

class PowerFileParameter(Message):
    shift_file: str
    def __init__(self, *, shift_file: str = ...) -> None: ...

class PPowerParameter(Message):
    p: float
    def __init__(self, *, p: float = ...) -> None: ...

class PredictBoxParameter(Message):
    stride: int
    receptive_field: int
    nms: bool
    output_vector: bool
    positive_thresh: float
    bbreg_exp: bool
    def __init__(self, *, stride: int = ..., receptive_field: int = ..., nms: bool = ...,
        output_vector: bool = ..., positive_thresh: float = ..., bbreg_exp: bool = ...) -> None: ...

class PriorBoxParameter(Message):
    CodeType: Enum
    CORNER: int
    CENTER_SIZE: int
    CORNER_SIZE: int
    min_size: Scalars[float]
    max_size: Scalars[float]
    aspect_ratio: Scalars[float]
    flip: bool
    clip: bool
    variance: Scalars[float]
    img_size: int
    img_h: int
    img_w: int
    step: float
    step_h: float
    step_w: float
    offset: float
    width: Scalars[float]
    height: Scalars[float]
    density: Scalars[float]
    fixed_size: Scalars[float]
    fixed_ratio: Scalars[float]
    denser_prior_boxes: bool
    reduce_boxes: bool
    def __init__(self, *, min_size: Iterable[float] = ..., max_size: Iterable[float] = ...,
        aspect_ratio: Iterable[float] = ..., flip: bool = ..., clip: bool = ...,
        variance: Iterable[float] = ..., img_size: int = ..., img_h: int = ..., img_w: int = ...,
        step: float = ..., step_h: float = ..., step_w: float = ..., offset: float = ...,
        width: Iterable[float] = ..., height: Iterable[float] = ..., density: Iterable[float] = ...,
        fixed_size: Iterable[float] = ..., fixed_ratio: Iterable[float] = ..., denser_prior_boxes: bool = ...,
        reduce_boxes: bool = ...) -> None: ...

class PriorPBoxParameter(Message):
    min_size: Scalars[float]
    max_size: Scalars[float]
    aspect_ratio: Scalars[float]
    flip: bool
    clip: bool
    variance: Scalars[float]
    img_size: int
    img_h: int
    img_w: int
    step: float
    step_h: float
    step_w: float
    offset: float
    num_pboxes: int
    def __init__(self, *, min_size: Iterable[float] = ..., max_size: Iterable[float] = ...,
        aspect_ratio: Iterable[float] = ..., flip: bool = ..., clip: bool = ...,
        variance: Iterable[float] = ..., img_size: int = ..., img_h: int = ..., img_w: int = ...,
        step: float = ..., step_h: float = ..., step_w: float = ..., offset: float = ...,
        num_pboxes: int = ...) -> None: ...

class PriorRBoxParameter(Message):
    min_size: Scalars[float]
    max_size: Scalars[float]
    aspect_ratio: Scalars[float]
    rotated_angles: Scalars[float]
    prior_widths: Scalars[float]
    prior_heights: Scalars[float]
    flip: bool
    clip: bool
    variance: Scalars[float]
    img_size: int
    img_h: int
    img_w: int
    step: float
    step_h: float
    step_w: float
    offset: float
    regress_size: bool
    regress_angle: bool
    def __init__(self, *, min_size: Iterable[float] = ..., max_size: Iterable[float] = ...,
        aspect_ratio: Iterable[float] = ..., rotated_angles: Iterable[float] = ...,
        prior_widths: Iterable[float] = ..., prior_heights: Iterable[float] = ..., flip: bool = ...,
        clip: bool = ..., variance: Iterable[float] = ..., img_size: int = ..., img_h: int = ...,
        img_w: int = ..., step: float = ..., step_h: float = ..., step_w: float = ..., offset: float = ...,
        regress_size: bool = ..., regress_angle: bool = ...) -> None: ...

class ProjectiveMatrixParameter(Message):
    base_scale: float
    base_f: float
    base_tz: float
    min_scale: float
    max_scale: float
    min_alpha: float
    max_alpha: float
    min_beta: float
    max_beta: float
    min_gamma: float
    max_gamma: float
    min_f: float
    max_f: float
    min_tx: float
    max_tx: float
    min_ty: float
    max_ty: float
    min_tz: float
    max_tz: float
    max_diff: float
    bias_scale: bool
    bias_U: bool
    def __init__(self, *, base_scale: float = ..., base_f: float = ..., base_tz: float = ...,
        min_scale: float = ..., max_scale: float = ..., min_alpha: float = ..., max_alpha: float = ...,
        min_beta: float = ..., max_beta: float = ..., min_gamma: float = ..., max_gamma: float = ...,
        min_f: float = ..., max_f: float = ..., min_tx: float = ..., max_tx: float = ..., min_ty: float = ...,
        max_ty: float = ..., min_tz: float = ..., max_tz: float = ..., max_diff: float = ...,
        bias_scale: bool = ..., bias_U: bool = ...) -> None: ...

class ProjectiveTransformerParameter(Message):
    output_H: int
    output_W: int
    grid: bool
    def __init__(self, *, output_H: int = ..., output_W: int = ..., grid: bool = ...) -> None: ...

class ProposalParameter(Message):
    stride: float
    im_min_w: float
    im_min_h: float
    top_num: float
    nms_thresh: float
    nms_num: int
    anchor_num: int
    im_h: float
    im_w: float
    scale: float
    nms_scale: float
    anchor_scale: Scalars[float]
    anchor_ratio: Scalars[float]
    feat_stride: int
    base_size: int
    min_size: int
    pre_nms_topn: int
    post_nms_topn: int
    pvanet_mode: bool
    enable_softmax: bool
    nproposal_mode: bool
    shuffle_channel: bool
    scales: Scalars[int]
    pre_nms_topN: int
    ratio: Scalars[float]
    scale__list: Scalars[float]
    post_nms_topN: int
    def __init__(self, *, stride: float = ..., im_min_w: float = ..., im_min_h: float = ...,
        top_num: float = ..., nms_thresh: float = ..., nms_num: int = ..., anchor_num: int = ...,
        im_h: float = ..., im_w: float = ..., scale: float = ..., nms_scale: float = ...,
        anchor_scale: Iterable[float] = ..., anchor_ratio: Iterable[float] = ..., feat_stride: int = ...,
        base_size: int = ..., min_size: int = ..., pre_nms_topn: int = ..., post_nms_topn: int = ...,
        pvanet_mode: bool = ..., enable_softmax: bool = ..., nproposal_mode: bool = ...,
        shuffle_channel: bool = ..., scales: Iterable[int] = ..., pre_nms_topN: int = ...,
        ratio: Iterable[float] = ..., scale__list: Iterable[float] = ...,
        post_nms_topN: int = ...) -> None: ...

class ProposalTargetParameter(Message):
    cls_num: int
    batch_size: int
    fg_fraction: float
    num_img_per_batch: int
    fg_thr: float
    bg_thr_hg: float
    bg_thr_lw: float
    img_width: int
    img_height: int
    iou_weighted: bool
    bbox_thr_lw: float
    bbox_thr_hg: float
    pickup_discard: bool
    append_gtbox: bool
    def __init__(self, *, cls_num: int = ..., batch_size: int = ..., fg_fraction: float = ...,
        num_img_per_batch: int = ..., fg_thr: float = ..., bg_thr_hg: float = ..., bg_thr_lw: float = ...,
        img_width: int = ..., img_height: int = ..., iou_weighted: bool = ..., bbox_thr_lw: float = ...,
        bbox_thr_hg: float = ..., pickup_discard: bool = ..., append_gtbox: bool = ...) -> None: ...

class PseudoLabelCrossEntropyLossParameter(Message):
    class_num: int
    alpha: float
    low_iter: int
    high_iter: int
    def __init__(self, *, class_num: int = ..., alpha: float = ..., low_iter: int = ...,
        high_iter: int = ...) -> None: ...

class PSROIAlignParameter(Message):
    spatial_scale: float
    output_dim: int
    group_size: int
    sample_num: int
    def __init__(self, *, spatial_scale: float = ..., output_dim: int = ..., group_size: int = ...,
        sample_num: int = ...) -> None: ...

class PSROIPoolingParameter(Message):
    spatial_scale: float
    output_dim: int
    group_size: int
    def __init__(self, *, spatial_scale: float = ..., output_dim: int = ...,
        group_size: int = ...) -> None: ...

class PyParameter(Message):
    param_shapes: Messages[ParamShapeParameter]
    param_fillers: Messages[FillerParameter]
    def __init__(self, *, param_shapes: Iterable[ParamShapeParameter | Fields] = ...,
        param_fillers: Iterable[FillerParameter | Fields] = ...) -> None: ...

class Quant_TrunParameter(Message):
    quant: float
    def __init__(self, *, quant: float = ...) -> None: ...

class QuantAccuracyParameter(Message):
    in_period: float
    out_num: int
    label_max: float
    def __init__(self, *, in_period: float = ..., out_num: int = ..., label_max: float = ...) -> None: ...

class QuantileL1LossParameter(Message):
    quantile_alpha: float
    def __init__(self, *, quantile_alpha: float = ...) -> None: ...

class QuantizationParameter(Message):
    Precision: Enum
    DYNAMIC_FIXED_POINT: int
    MINIFLOAT: int
    INTEGER_POWER_OF_2_WEIGHTS: int
    Rounding: Enum
    NEAREST: int
    STOCHASTIC: int
    precision: int
    rounding_scheme: int
    bw_layer_in: int
    bw_layer_out: int
    bw_params: int
    fl_layer_in: Scalars[int]
    fl_layer_out: Scalars[int]
    fl_params: Scalars[int]
    mant_bits: int
    exp_bits: int
    exp_min: int
    exp_max: int
    scale_in: Scalars[float]
    scale_out: Scalars[float]
    scale_params: Scalars[float]
    is_negative_input: bool
    force_u8_input: bool
    def __init__(self, *, precision: int | str = ..., rounding_scheme: int | str = ...,
        bw_layer_in: int = ..., bw_layer_out: int = ..., bw_params: int = ...,
        fl_layer_in: Iterable[int] = ..., fl_layer_out: Iterable[int] = ..., fl_params: Iterable[int] = ...,
        mant_bits: int = ..., exp_bits: int = ..., exp_min: int = ..., exp_max: int = ...,
        scale_in: Iterable[float] = ..., scale_out: Iterable[float] = ...,
        scale_params: Iterable[float] = ..., is_negative_input: bool = ...,
        force_u8_input: bool = ...) -> None: ...

class QuantizerParameter(Message):
    DataType: Enum
    CAFFE_FLOAT: int
    CAFFE_HALF: int
    CAFFE_DOUBLE: int
    CAFFE_INT8_QUANTIZED: int
    CAFFE_INT16_QUANTIZED: int
    CAFFE_INT32_QUANTIZED: int
    CAFFE_INT64_QUANTIZED: int
    CAFFE_PACKED_BINARY: int
    QuantizerMode: Enum
    CAFFE_QUANT_PASSIVE: int
    CAFFE_QUANT_OBSERVE: int
    CAFFE_QUANT_PSEUDO: int
    name: str
    zone: int
    input_data_type: int
    output_data_type: int
    observed_max: float
    observed_min: float
    max_in: float
    min_in: float
    max_out: float
    min_out: float
    mode: int
    device: int
    pseudo_target_type: int
    pseudo_reset_observed: bool
    def __init__(self, *, name: str = ..., zone: int = ..., input_data_type: int | str = ...,
        output_data_type: int | str = ..., observed_max: float = ..., observed_min: float = ...,
        max_in: float = ..., min_in: float = ..., max_out: float = ..., min_out: float = ...,
        mode: int | str = ..., device: int = ..., pseudo_target_type: int | str = ...,
        pseudo_reset_observed: bool = ...) -> None: ...

class QuantTruncAbsParameter(Message):
    ProcessMethod: Enum
    QUANTTRUNCABS: int
    QUANT: int
    ABS: int
    TRUNC: int
    QUANTTRUNC: int
    QUANTABS: int
    TRUNCABS: int
    process: int
    threshold: int
    def __init__(self, *, process: int | str = ..., threshold: int = ...) -> None: ...

class QuartetLossParameter(Message):
    margin: float
    def __init__(self, *, margin: float = ...) -> None: ...

class QueuePredictionDataParameter(Message):
    source: str
    batch_size: int
    shuffle: bool
    input_size: int
    output_size: int
    def __init__(self, *, source: str = ..., batch_size: int = ..., shuffle: bool = ...,
        input_size: int = ..., output_size: int = ...) -> None: ...

class RandomAspectRatioParameter(Message):
    min_area_ratio: float
    max_area_ratio: float
    aspect_ratio_change: float
    max_attempt: int
    resize_param: ResizeParameter
    def __init__(self, *, min_area_ratio: float = ..., max_area_ratio: float = ...,
        aspect_ratio_change: float = ..., max_attempt: int = ...,
        resize_param: ResizeParameter | Fields = ...) -> None: ...

class RandomGeneratorParameter(Message):
    rand_type: str
    exp: bool
    mean: float
    spread: float
    prob: float
    apply_schedule: bool
    discretize: bool
    multiplier: float
    def __init__(self, *, rand_type: str = ..., exp: bool = ..., mean: float = ..., spread: float = ...,
        prob: float = ..., apply_schedule: bool = ..., discretize: bool = ...,
        multiplier: float = ...) -> None: ...

class RandomMaclaurionParameter(Message):
    num_output: int
    random_every_epoch: bool
    fixed_matrix: bool
    epoch_size: int
    std1: float
    std2: float
    distribution_type: str
    a1: float
    b1: float
    a2: float
    b2: float
    def __init__(self, *, num_output: int = ..., random_every_epoch: bool = ..., fixed_matrix: bool = ...,
        epoch_size: int = ..., std1: float = ..., std2: float = ..., distribution_type: str = ...,
        a1: float = ..., b1: float = ..., a2: float = ..., b2: float = ...) -> None: ...

class RandomResizeParameter(Message):
    min_size: int
    max_size: int
    resize_param: ResizeParameter
    def __init__(self, *, min_size: int = ..., max_size: int = ...,
        resize_param: ResizeParameter | Fields = ...) -> None: ...

class RandVecParameter(Message):
    batch_size: int
    dim: int
    lower: float
    upper: float
    height: int
    width: int
    def __init__(self, *, batch_size: int = ..., dim: int = ..., lower: float = ..., upper: float = ...,
        height: int = ..., width: int = ...) -> None: ...

class RankHardLossParameter(Message):
    neg_num: int
    pair_size: int
    hard_ratio: float
    rand_ratio: float
    margin: float
    def __init__(self, *, neg_num: int = ..., pair_size: int = ..., hard_ratio: float = ...,
        rand_ratio: float = ..., margin: float = ...) -> None: ...

class RankingLossParameter(Message):
    trunc: bool
    margin: float
    def __init__(self, *, trunc: bool = ..., margin: float = ...) -> None: ...

class RankNoisyTransParameter(Message):
    num_output: int
    source: str
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    axis: int
    var_margin_: float
    def __init__(self, *, num_output: int = ..., source: str = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        axis: int = ..., var_margin_: float = ...) -> None: ...

class RankParameter(Message):
    neg_num: int
    pair_size: int
    hard_ratio: float
    rand_ratio: float
    margin: float
    def __init__(self, *, neg_num: int = ..., pair_size: int = ..., hard_ratio: float = ...,
        rand_ratio: float = ..., margin: float = ...) -> None: ...

class RCSParameter(Message):
    cate_axis: int
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    debug_info: bool
    def __init__(self, *, cate_axis: int = ..., weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., debug_info: bool = ...) -> None: ...

class RDetectionEvaluateParameter(Message):
    num_classes: int
    background_label_id: int
    overlap_threshold: float
    evaluate_difficult_gt: bool
    name_size_file: str
    resize_param: ResizeParameter
    def __init__(self, *, num_classes: int = ..., background_label_id: int = ...,
        overlap_threshold: float = ..., evaluate_difficult_gt: bool = ..., name_size_file: str = ...,
        resize_param: ResizeParameter | Fields = ...) -> None: ...

class RDetectionOutputParameter(Message):
    num_classes: int
    share_location: bool
    background_label_id: int
    nms_param: NonMaximumSuppressionParameter
    save_output_param: SaveOutputParameter
    keep_top_k: int
    variance_encoded_in_target: bool
    confidence_threshold: float
    visualize: bool
    visualize_threshold: float
    save_file: str
    prior_width: float
    prior_height: float
    regress_size: bool
    regress_angle: bool
    def __init__(self, *, num_classes: int = ..., share_location: bool = ..., background_label_id: int = ...,
        nms_param: NonMaximumSuppressionParameter | Fields = ...,
        save_output_param: SaveOutputParameter | Fields = ..., keep_top_k: int = ...,
        variance_encoded_in_target: bool = ..., confidence_threshold: float = ..., visualize: bool = ...,
        visualize_threshold: float = ..., save_file: str = ..., prior_width: float = ...,
        prior_height: float = ..., regress_size: bool = ..., regress_angle: bool = ...) -> None: ...

class ReaderParameter(Message):
    file: str
    num: int
    def __init__(self, *, file: str = ..., num: int = ...) -> None: ...

class RecurrentConnectionParameter(Message):
    src: str
    dest: str
    def __init__(self, *, src: str = ..., dest: str = ...) -> None: ...

class RedAccuracyParameter(Message):
    top_k: int
    ignore_label: int
    class_num: int
    def __init__(self, *, top_k: int = ..., ignore_label: int = ..., class_num: int = ...) -> None: ...

class RedSoftmaxWithLossParameter(Message):
    class_num: int
    def __init__(self, *, class_num: int = ...) -> None: ...

class ReduceParameter(Message):
    rho: float
    lr: float
    def __init__(self, *, rho: float = ..., lr: float = ...) -> None: ...

class RegionConvolutionParameter(Message):
    input_compression: bool
    output_compression: bool
    def __init__(self, *, input_compression: bool = ..., output_compression: bool = ...) -> None: ...

class RegionLossParameter(Message):
    side: int
    num_class: int
    bias_match: int
    coords: int
    num: int
    softmax: int
    jitter: float
    rescore: int
    object_scale: float
    class_scale: float
    noobject_scale: float
    coord_scale: float
    absolute: int
    thresh: float
    random: int
    biases: Scalars[float]
    softmax_tree: str
    class_map: str
    num_label: int
    def __init__(self, *, side: int = ..., num_class: int = ..., bias_match: int = ..., coords: int = ...,
        num: int = ..., softmax: int = ..., jitter: float = ..., rescore: int = ...,
        object_scale: float = ..., class_scale: float = ..., noobject_scale: float = ...,
        coord_scale: float = ..., absolute: int = ..., thresh: float = ..., random: int = ...,
        biases: Iterable[float] = ..., softmax_tree: str = ..., class_map: str = ...,
        num_label: int = ...) -> None: ...

class RegionParameter(Message):
    classes: int
    coords: int
    boxes_of_each_grid: int
    softmax: bool
    anchors: str
    num: int
    biases: str
    def __init__(self, *, classes: int = ..., coords: int = ..., boxes_of_each_grid: int = ...,
        softmax: bool = ..., anchors: str = ..., num: int = ..., biases: str = ...) -> None: ...

class RegularizationParameter(Message):
    Norm: Enum
    L1: int
    L2: int
    ReMethod: Enum
    Zero: int
    One: int
    Two: int
    Three: int
    norm: int
    method: int
    regular: float
    level1: float
    level2: float
    level3: float
    level4: float
    level5: float
    level6: float
    level7: float
    value1: float
    value2: float
    value3: float
    value4: float
    value5: float
    value6: float
    value7: float
    value8: float
    def __init__(self, *, norm: int | str = ..., method: int | str = ..., regular: float = ...,
        level1: float = ..., level2: float = ..., level3: float = ..., level4: float = ...,
        level5: float = ..., level6: float = ..., level7: float = ..., value1: float = ...,
        value2: float = ..., value3: float = ..., value4: float = ..., value5: float = ...,
        value6: float = ..., value7: float = ..., value8: float = ...) -> None: ...

class RelevanceConstraintParameter(Message):
    num_output: int
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    def __init__(self, *, num_output: int = ..., bias_term: bool = ...,
        weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ...) -> None: ...

class ReNetLSTMParameter(Message):
    Direction: Enum
    X_DIR: int
    Y_DIR: int
    direction: int
    num_output: int
    patch_width: int
    patch_height: int
    general_weight_filler: FillerParameter
    general_bias_filler: FillerParameter
    forget_gate_bias_filler: FillerParameter
    input_gate_bias_filler: FillerParameter
    output_gate_bias_filler: FillerParameter
    peephole: bool
    def __init__(self, *, direction: int | str = ..., num_output: int = ..., patch_width: int = ...,
        patch_height: int = ..., general_weight_filler: FillerParameter | Fields = ...,
        general_bias_filler: FillerParameter | Fields = ...,
        forget_gate_bias_filler: FillerParameter | Fields = ...,
        input_gate_bias_filler: FillerParameter | Fields = ...,
        output_gate_bias_filler: FillerParameter | Fields = ..., peephole: bool = ...) -> None: ...

class ReorgParameter(Message):
    stride: int
    reverse: bool
    def __init__(self, *, stride: int = ..., reverse: bool = ...) -> None: ...

class RepMatParameter(Message):
    rep_w: int
    rep_h: int
    rep_c: int
    rep_n: int
    def __init__(self, *, rep_w: int = ..., rep_h: int = ..., rep_c: int = ..., rep_n: int = ...) -> None: ...

class ResampleParameter(Message):
    ResampleType: Enum
    NEAREST: int
    LINEAR: int
    CUBIC: int
    AREA: int
    width: int
    height: int
    type: int
    antialias: bool
    factor: float
    def __init__(self, *, width: int = ..., height: int = ..., type: int | str = ..., antialias: bool = ...,
        factor: float = ...) -> None: ...

class RescaleParameter(Message):
    rf: int
    def __init__(self, *, rf: int = ...) -> None: ...

class ResizeParameter(Message):
    Interp_mode: Enum
    LINEAR: int
    AREA: int
    NEAREST: int
    CUBIC: int
    LANCZOS4: int
    Pad_mode: Enum
    CONSTANT: int
    MIRRORED: int
    REPEAT_NEAREST: int
    Resize_mode: Enum
    WARP: int
    FIT_SMALL_SIZE: int
    FIT_LARGE_SIZE_AND_PAD: int
    prob: float
    resize_mode: int
    height: int
    width: int
    pad_mode: int
    pad_value: Scalars[float]
    interp_mode: Scalars[int]
    height_scale: int
    width_scale: int
    center_object: bool
    max_angle: float
    max_sz: int
    min_sz: int
    multiscale: bool
    multiple_scale: float
    is_pyramid_test: bool
    out_height_scale: float
    out_width_scale: float
    def __init__(self, *, prob: float = ..., resize_mode: int | str = ..., height: int = ...,
        width: int = ..., pad_mode: int | str = ..., pad_value: Iterable[float] = ...,
        interp_mode: Iterable[int | str] = ..., height_scale: int = ..., width_scale: int = ...,
        center_object: bool = ..., max_angle: float = ..., max_sz: int = ..., min_sz: int = ...,
        multiscale: bool = ..., multiple_scale: float = ..., is_pyramid_test: bool = ...,
        out_height_scale: float = ..., out_width_scale: float = ...) -> None: ...

class ReverseParameter(Message):
    axis: int
    def __init__(self, *, axis: int = ...) -> None: ...

class ReverseTimeParameter(Message):
    copy_remaining: bool
    def __init__(self, *, copy_remaining: bool = ...) -> None: ...

class RNNDropoutParameter(Message):
    rnn_dropout_ratio: float
    def __init__(self, *, rnn_dropout_ratio: float = ...) -> None: ...

class ROIAlignParameter(Message):
    pooled_h: int
    pooled_w: int
    spatial_scale: float
    sampling_ratio: int
    def __init__(self, *, pooled_h: int = ..., pooled_w: int = ..., spatial_scale: float = ...,
        sampling_ratio: int = ...) -> None: ...

class ROIMaskPoolingParameter(Message):
    pooled_h: int
    pooled_w: int
    spatial_scale: float
    half_part: int
    roi_scale: float
    mask_scale: float
    spatial_shift: float
    def __init__(self, *, pooled_h: int = ..., pooled_w: int = ..., spatial_scale: float = ...,
        half_part: int = ..., roi_scale: float = ..., mask_scale: float = ...,
        spatial_shift: float = ...) -> None: ...

class ROIPoolingParameter(Message):
    pooled_h: int
    pooled_w: int
    spatial_scale: float
    pad_ratio: float
    temporal_scale: float
    is_multi_interpolate: bool
    pooled_l: int
    bi_type: int
    pooled_size: Scalars[int]
    background_value: float
    def __init__(self, *, pooled_h: int = ..., pooled_w: int = ..., spatial_scale: float = ...,
        pad_ratio: float = ..., temporal_scale: float = ..., is_multi_interpolate: bool = ...,
        pooled_l: int = ..., bi_type: int = ..., pooled_size: Iterable[int] = ...,
        background_value: float = ...) -> None: ...

class ROIWarpingParameter(Message):
    pooled_h: int
    pooled_w: int
    spatial_scale: float
    def __init__(self, *, pooled_h: int = ..., pooled_w: int = ..., spatial_scale: float = ...) -> None: ...

class RotateTransformerParameter(Message):
    top_height: int
    top_width: int
    theta_threshold: float
    shift_threshold: float
    first_bottom_diff: bool
    def __init__(self, *, top_height: int = ..., top_width: int = ..., theta_threshold: float = ...,
        shift_threshold: float = ..., first_bottom_diff: bool = ...) -> None: ...

class RoundParameter(Message):
    RoundMethod: Enum
    ZERO_ONE: int
    ONE_MINUS_ONE: int
    MULTI: int
    scale: float
    method: int
    groups: int
    has_constrain: bool
    ratio: float
    def __init__(self, *, scale: float = ..., method: int | str = ..., groups: int = ...,
        has_constrain: bool = ..., ratio: float = ...) -> None: ...

class RPNParameter(Message):
    feat_stride: int
    basesize: int
    scale: Scalars[int]
    ratio: Scalars[float]
    boxminsize: int
    nms_thresh: float
    per_nms_topn: int
    post_nms_topn: int
    def __init__(self, *, feat_stride: int = ..., basesize: int = ..., scale: Iterable[int] = ...,
        ratio: Iterable[float] = ..., boxminsize: int = ..., nms_thresh: float = ..., per_nms_topn: int = ...,
        post_nms_topn: int = ...) -> None: ...

class RReLUParameter(Message):
    lb: float
    ub: float
    def __init__(self, *, lb: float = ..., ub: float = ...) -> None: ...

class RunningAverageParameter(Message):
    mass: float
    update_test: bool
    reset_history: bool
    def __init__(self, *, mass: float = ..., update_test: bool = ..., reset_history: bool = ...) -> None: ...

class RuntimeParameter(Message):
    numpy_data_param: NumpyDataParameter
    cap_sequence_param: CapSequenceParameter
    def __init__(self, *, numpy_data_param: NumpyDataParameter | Fields = ...,
        cap_sequence_param: CapSequenceParameter | Fields = ...) -> None: ...

class SaltPepperParameter(Message):
    fraction: float
    value: Scalars[float]
    def __init__(self, *, fraction: float = ..., value: Iterable[float] = ...) -> None: ...

class SampleConstraint(Message):
    min_jaccard_overlap: float
    max_jaccard_overlap: float
    min_sample_coverage: float
    max_sample_coverage: float
    min_object_coverage: float
    max_object_coverage: float
    def __init__(self, *, min_jaccard_overlap: float = ..., max_jaccard_overlap: float = ...,
        min_sample_coverage: float = ..., max_sample_coverage: float = ..., min_object_coverage: float = ...,
        max_object_coverage: float = ...) -> None: ...

class Sampler(Message):
    min_scale: float
    max_scale: float
    min_aspect_ratio: float
    max_aspect_ratio: float
    def __init__(self, *, min_scale: float = ..., max_scale: float = ..., min_aspect_ratio: float = ...,
        max_aspect_ratio: float = ...) -> None: ...

class SaveOutputParameter(Message):
    output_directory: str
    output_name_prefix: str
    output_format: str
    label_map_file: str
    name_size_file: str
    num_test_image: int
    resize_param: ResizeParameter
    def __init__(self, *, output_directory: str = ..., output_name_prefix: str = ...,
        output_format: str = ..., label_map_file: str = ..., name_size_file: str = ...,
        num_test_image: int = ..., resize_param: ResizeParameter | Fields = ...) -> None: ...

class ScalarParameter(Message):
    axis: int
    def __init__(self, *, axis: int = ...) -> None: ...

class ScaleFilterParameter(Message):
    min_scale: float
    max_scale: float
    def __init__(self, *, min_scale: float = ..., max_scale: float = ...) -> None: ...

class ScaleFlagsParameter(Message):
    scalefactor: int
    def __init__(self, *, scalefactor: int = ...) -> None: ...

class ScaleRouteParameter(Message):
    low_scale: float
    high_scale: float
    def __init__(self, *, low_scale: float = ..., high_scale: float = ...) -> None: ...
